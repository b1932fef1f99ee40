//go:build !noembedded

package embedded

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// maxPayload is far above what nodes send in one message.
	maxPayload = 8 << 20

	// routeWriteDeadline ends the connection to a node that has taken nothing for that
	// long, as a stopped one does when the buffers of the system are full. It is below
	// the limit of a broker.Engine's calls, as the own connection may have to wait for it.
	routeWriteDeadline = 1500 * time.Millisecond

	// routePing and routePings end a connection without a sign of life after 4 to 6 s,
	// before the lease of a node ends.
	routePing  = 2 * time.Second
	routePings = 2

	// handshakeLimit is how long a stranger may take to say who it is, in seconds.
	handshakeLimit = 3.0

	routeUser = "node"
)

// start returns a server that listens.
func (e *Engine) start() (*server.Server, error) {
	s, err := server.NewServer(e.settings(nil))
	if err != nil {
		return nil, err
	}
	log := newServerLog(e.log, e.options.Secret, routePassword(e.options))
	s.SetLoggerV2(log, log.debug(), false, false)
	s.Start()
	for end := time.Now().Add(startLimit); time.Now().Before(end); {
		if s.ReadyForConnections(startStep) {
			return s, nil
		}
		select {
		case text := <-log.fatal:
			err = errors.New(text)
		default:
			err = fmt.Errorf("the server did not listen on %s within %v", e.options.Listen, startLimit)
			continue
		}
		break
	}
	s.Shutdown()
	s.WaitForShutdown()
	return nil, err
}

// settings returns the server's options with the given nodes to dial, each time anew,
// since the server keeps and changes them.
func (e *Engine) settings(routes []*url.URL) *server.Options {
	o := &server.Options{
		ServerName: e.name,

		// Clients: this node only. Without a port for them the server does not start
		// its routes either.
		Host:                       "127.0.0.1",
		Port:                       server.RANDOM_PORT,
		CustomClientAuthentication: inMemory{},

		NoSigs:           true, // signals are the daemon's
		NoLog:            true, // no logger of its own
		NoSystemAccount:  true, // no events about itself to others
		MaxPayload:       maxPayload,
		MaxClosedClients: 16,

		Cluster: server.ClusterOpts{
			Name:        e.options.Prefix,
			Host:        e.host,
			Port:        e.port,
			NoAdvertise: true, // else other servers told their clients of our loopback port

			// What a node publishes after it has subscribed must reach a peer behind the
			// subscription: package cluster builds on that. So it all goes through one
			// connection per peer, whatever a later release takes for its defaults, ...
			PoolSize:       -1,
			PinnedAccounts: nil,
			// ... and nothing is set aside to be compressed.
			Compression: server.CompressionOpts{Mode: server.CompressionOff},

			AuthTimeout:    handshakeLimit,
			TLSTimeout:     handshakeLimit,
			TLSConfig:      e.options.TLS,
			WriteDeadline:  routeWriteDeadline,
			PingInterval:   routePing,
			MaxPingsOut:    routePings,
			ConnectRetries: 3, // of what was heard of; the mesh goes on with what was connected
		},
		Routes:                routes,
		ConnectErrorReports:   3600,
		ReconnectErrorReports: 3600,
	}
	if e.options.Secret != "" {
		o.Cluster.Username, o.Cluster.Password = routeUser, routePassword(e.options)
		for _, u := range routes {
			u.User = url.UserPassword(routeUser, o.Cluster.Password)
		}
	}
	return o
}

// routePassword keeps the secret itself off the network.
func routePassword(o Options) string {
	mac := hmac.New(sha256.New, []byte(o.Secret))
	mac.Write([]byte("pipesocketd route " + o.Prefix))
	return hex.EncodeToString(mac.Sum(nil))
}

// serverName returns a name that no other server of the mesh has, and that tells the
// port of this one: a server shows its peers as they are connected, and the end of a
// connection that was accepted is no place to dial.
func serverName(name string, port int) string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%s.%x.%d", cmp.Or(name, "node"), b, port)
}

// address returns where the other end of a connection listens, or "".
func address(r *server.RouteInfo) string {
	port := r.RemoteName[strings.LastIndexByte(r.RemoteName, '.')+1:]
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || net.ParseIP(r.IP) == nil {
		return ""
	}
	return net.JoinHostPort(r.IP, strconv.FormatUint(n, 10))
}

// inMemory admits the node's own connection alone.
type inMemory struct{}

// Check implements server.Authentication.
func (inMemory) Check(c server.ClientAuthentication) bool {
	addr := c.RemoteAddress()
	return addr != nil && addr.Network() == "pipe"
}
