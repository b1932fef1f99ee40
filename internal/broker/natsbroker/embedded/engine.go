//go:build !noembedded

package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/natsbroker"
)

// Available reports whether this binary has the embedded engine.
const Available = true

const (
	// startLimit is how long the server may take to listen, and startStep how soon a
	// failure is noticed.
	startLimit = 10 * time.Second
	startStep  = 100 * time.Millisecond

	// joinLimit is how long a start waits for a first other node, if there are seeds:
	// long enough for one that runs (it takes some 50 ms), short enough for the
	// first of a cluster.
	joinLimit = time.Second
)

// Engine is a [broker.Engine] on a NATS server of its own; see
// [natsbroker.Engine] for what it does with subjects.
//
// The link is the connection to the own server, which is always there. It goes
// down for a moment when a connection to another node was lost and made again,
// because what was on its way between the two is lost, and the node shall ask for
// it. A node that has gone for good leaves the link up.
type Engine struct {
	*natsbroker.Engine
	options Options
	name    string // of the server
	host    string
	port    int
	log     *slog.Logger

	server atomic.Pointer[server.Server] // of Run
	mesh   *mesh
}

var _ broker.Engine = (*Engine)(nil)

// New checks the options.
func New(o Options) (*Engine, error) {
	e, err := newEngine(o)
	if err != nil {
		return nil, fmt.Errorf("embedded: %w", err)
	}
	return e, nil
}

func newEngine(o Options) (*Engine, error) {
	host, portText, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("listen: %q is not a port", portText)
	}
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	e := &Engine{options: o, name: serverName(o.Name, int(port)), host: cmp.Or(host, "0.0.0.0"), port: int(port), log: o.Log}
	if e.options.TLS, err = mutual(o.TLS, o.Seeds); err != nil {
		return nil, err
	}
	if e.mesh, err = newMesh(o); err != nil {
		return nil, err
	}
	e.Engine, err = natsbroker.New(natsbroker.Options{
		URL: "nats://localhost", Prefix: o.Prefix, Name: "node", Dial: e.dial, Log: o.Log.With("engine", "embedded"),
	})
	return e, err
}

// dial makes the node's own connection.
func (e *Engine) dial(context.Context, string) (net.Conn, error) {
	s := e.server.Load()
	if s == nil {
		return nil, errors.New("the server does not run")
	}
	return s.InProcessConn()
}

// Run implements [broker.Engine]: it starts the server, joins others, and stops all of
// it when ctx has ended. An error says that the server cannot listen.
func (e *Engine) Run(ctx context.Context, r broker.Receiver) error {
	if e.options.TLS == nil && !loopback(e.host) {
		e.log.Warn("nodes talk to one another without TLS: whoever reaches the cluster's port can join, or read along",
			"listen", e.options.Listen, "secret", e.options.Secret != "")
	}
	s, err := e.start() //nolint:contextcheck // it asks the logger only
	if err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	e.server.Store(s)
	defer func() {
		s.Shutdown()
		s.WaitForShutdown()
		e.server.Store(nil)
	}()
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	joined := make(chan struct{})
	beside.Go(func() { e.mesh.run(ctx, s, e.settings, joined, e.Reconnect) })
	if len(e.options.Seeds) > 0 {
		select {
		case <-joined: // or there is nobody
		case <-ctx.Done():
		}
	}
	return e.Engine.Run(ctx, r)
}

// Mesh implements [broker.Engine].
func (*Engine) Mesh() bool { return true }

// Describe implements [broker.Engine]. The servers are those of other nodes.
func (e *Engine) Describe() broker.Description {
	d := broker.Description{Engine: "embedded", Version: server.VERSION}
	d.Servers = e.mesh.others()
	return d
}

// loopback reports whether nobody outside this machine reaches an address.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}
