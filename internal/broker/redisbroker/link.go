package redisbroker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/pipesocket/pipesocketd/internal/quietconn"
)

// Times of a link.
const (
	dialTimeout    = 5 * time.Second  // of one connection, TLS included
	connectTimeout = 15 * time.Second // of a whole link
	commandTimeout = 5 * time.Second  // of a command whose caller sets no deadline, and of probes
	probeGap       = time.Second      // between probes of a server, and questions to Sentinel
)

// link is what runs between Up and Down. Once it has ended it is of no use any more.
type link struct {
	settings *settings
	receive  func(*link, []byte) bool
	rest     func(*link)

	// Set by open, then immutable.
	cluster  bool
	servers  []*server
	ofLane   []*server // by lane
	names    namer
	sentinel *sentinel // that named the master; later owned by watchSentinel; nil without Sentinel

	users   sync.WaitGroup // calls of Do and Fence; added to under the engine's mutex
	running sync.WaitGroup // goroutines
	ended   chan struct{}  // closed by fail

	mu     sync.Mutex
	atEnd  []func() // called by fail, under mu
	reason error    // not nil once ended is closed

	do doer // owned by Do
}

// connect makes a link, or fails with a reason that may be shown.
func connect(
	ctx context.Context, s *settings, receive func(*link, []byte) bool, rest func(*link),
) (*link, error) {
	l := &link{settings: s, receive: receive, rest: rest, ended: make(chan struct{})}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.fail(ctx.Err()) })()
	if err := l.open(ctx); err != nil {
		l.fail(err)
		l.close()
		return nil, l.failure()
	}
	return l, nil
}

// fail ends the link, by closing its connections. The first reason stays.
func (l *link) fail(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason != nil {
		return
	}
	l.reason = l.settings.redact(reason)
	close(l.ended)
	for _, do := range l.atEnd {
		do()
	}
}

// onEnd has fail call do, which must not block. It fails if the link has ended.
func (l *link) onEnd(do func()) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil {
		l.atEnd = append(l.atEnd, do)
	}
	return l.reason
}

// failure returns why the link has ended; nil: it has not.
func (l *link) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason
}

// close waits for the end of all that belongs to a link that has ended.
func (l *link) close() {
	l.users.Wait()
	for _, s := range l.servers {
		if s.sending != nil {
			s.sending.Close()
		}
	}
	l.running.Wait()
}

// dial connects to a server or a sentinel. The connection is closed with the link.
func (l *link) dial(ctx context.Context, addr string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := l.onEnd(cancel); err != nil {
		return nil, err
	}
	var dialer net.Dialer
	network := "tcp"
	if l.settings.unix {
		network = "unix"
	}
	c, err := dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c = quietconn.New(c)
	if l.settings.tls != nil {
		secure := tls.Client(c, l.settings.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = c.Close()
			return nil, fmt.Errorf("TLS with %s: %w", addr, err)
		}
		c = secure
	}
	if err := l.onEnd(func() { _ = c.Close() }); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// open finds the servers and connects to them.
func (l *link) open(ctx context.Context) error {
	find := l.openFirst
	if l.settings.masterSet != "" {
		find = l.openSentinel
	}
	first, err := find(ctx)
	if err != nil {
		return err
	}
	switch first.info.mode {
	case "sentinel":
		return errors.New("this is a Sentinel: the URL needs ?master_set=NAME")
	case "cluster":
		err = l.openCluster(ctx, first)
	default:
		l.servers = []*server{first}
		l.ofLane = slices.Repeat(l.servers, l.settings.lanes)
		err = first.info.writable()
	}
	if err != nil {
		return err
	}
	l.names = namer{prefix: l.settings.prefix, cluster: l.cluster}
	return l.openSending()
}

// openFirst connects to the first address that answers.
func (l *link) openFirst(ctx context.Context) (*server, error) {
	var failures []error
	for _, addr := range l.settings.addresses {
		s, err := l.openReceiving(ctx, addr)
		if err == nil {
			return s, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// openReceiving makes the receiving connection of a server.
func (l *link) openReceiving(ctx context.Context, addr string) (*server, error) {
	conn, info, err := l.greet(ctx, addr, l.settings.credentials)
	if err != nil {
		return nil, err
	}
	return &server{addr: addr, info: info, receiving: conn}, nil
}

// greet makes a connection that is read from.
func (l *link) greet(ctx context.Context, addr string, as credentials) (*subscriber, serverInfo, error) {
	c, err := l.dial(ctx, addr)
	if err != nil {
		return nil, serverInfo{}, fmt.Errorf("connect: %w", err)
	}
	s := newSubscriber(c, func(message []byte) bool { return l.receive(l, message) }, func() { l.rest(l) })
	l.running.Go(s.run)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	info, err := s.greet(ctx, as)
	if err != nil {
		_ = c.Close()
		return nil, serverInfo{}, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return s, info, nil
}

// openCluster finds the masters of all lanes' slots.
func (l *link) openCluster(ctx context.Context, first *server) error {
	if l.settings.lanes == 1 {
		return errors.New("the server is part of a cluster, which cannot be reached this way")
	}
	if first.info.major() < 7 {
		return fmt.Errorf("the cluster runs version %s: sharded publish and subscribe needs 7 or newer", first.info)
	}
	answer, err := first.receiving.ask(ctx, slotsCommand)
	if err != nil {
		return fmt.Errorf("CLUSTER SLOTS: %w", err)
	}
	ranges, err := mastersOf(answer, first.addr)
	if err != nil {
		return err
	}
	l.cluster = true
	names := namer{prefix: l.settings.prefix, cluster: true}
	for lane := range l.settings.lanes {
		addr, err := masterOf(ranges, slotOf(names.tag(lane)))
		if err != nil {
			return err
		}
		s, err := l.member(ctx, addr, first)
		if err != nil {
			return err
		}
		l.ofLane = append(l.ofLane, s)
	}
	if !slices.Contains(l.servers, first) {
		_ = first.receiving.conn.Close()
	}
	return nil
}

// member returns the server with an address, connecting to it if need be.
func (l *link) member(ctx context.Context, addr string, first *server) (*server, error) {
	if i := slices.IndexFunc(l.servers, func(s *server) bool { return s.addr == addr }); i >= 0 {
		return l.servers[i], nil
	}
	s := first
	if addr != first.addr {
		var err error
		if s, err = l.openReceiving(ctx, addr); err != nil {
			return nil, err
		}
	}
	if err := s.info.writable(); err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	l.servers = append(l.servers, s)
	return s, nil
}

// openSending makes the connections for publishing.
func (l *link) openSending() error {
	for _, s := range l.servers {
		o := l.options()
		o.InitAddress = []string{s.addr}
		o.ForceSingleClient = true
		client, err := rueidis.NewClient(o)
		s.sending = client // not nil, so that it is closed
		if err != nil {
			return fmt.Errorf("connect to %s: %w", s.addr, err)
		}
	}
	return nil
}

// options are those of rueidis. Its connections end with the link. Without probes of
// its own (KeepAlive) it uses the connection in Do alone, hence in the goroutine that
// calls Do, and has let go of names and messages when that returns.
func (l *link) options() rueidis.ClientOption {
	return rueidis.ClientOption{
		DialCtxFn: func(ctx context.Context, addr string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
			c, err := l.dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			return newCheckedConn(c, l.ended), nil
		},
		Dialer:              net.Dialer{Timeout: dialTimeout, KeepAlive: -1},
		ConnWriteTimeout:    time.Minute, // every command has a deadline
		Username:            l.settings.credentials.username,
		Password:            l.settings.credentials.password,
		ClientName:          clientName,
		ClientSetInfo:       rueidis.DisableClientSetInfo,
		PipelineMultiplex:   -1,      // one connection
		BlockingPipeline:    1 << 30, // not another one for long pipelines either
		RingScaleEachConn:   4,
		ReadBufferEachConn:  maxLine,
		WriteBufferEachConn: 64 << 10,
		DisableCache:        true,
		DisableRetry:        true,
	}
}

// watch ends the link when a server is gone, or no master any more.
func (l *link) watch(ctx context.Context) {
	for _, s := range l.servers {
		l.running.Go(func() { l.watchServer(ctx, s) })
	}
	if l.sentinel != nil {
		l.running.Go(func() { l.watchSentinel(ctx, l.servers[0].addr) })
	}
}

func (l *link) watchServer(ctx context.Context, s *server) {
	tick := time.NewTicker(probeGap)
	defer tick.Stop()
	for {
		select {
		case <-l.ended:
			return
		case <-s.receiving.ended:
			l.fail(fmt.Errorf("%s: %w", s.addr, s.receiving.failure()))
			return
		case <-tick.C:
		}
		if err := s.receiving.check(ctx); err != nil {
			l.fail(fmt.Errorf("%s: %w", s.addr, err))
			return
		}
	}
}

// describe returns host:port of the servers, sorted.
func (l *link) describe() []string {
	var addresses []string
	for _, s := range l.servers {
		addresses = append(addresses, s.addr)
	}
	slices.SortFunc(addresses, strings.Compare)
	return addresses
}
