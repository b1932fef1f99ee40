package natsbroker

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/quietconn"
)

const (
	// dialTimeout is how long one server may take to accept a connection, and
	// again to greet.
	dialTimeout = 2 * time.Second

	// writeTimeout is how long a server may take nothing of what is written.
	writeTimeout = 2 * time.Second

	// pingInterval and pingsOut end a connection whose server has not answered for
	// 6 to 8 s, as long as nobody has found out earlier.
	pingInterval = 2 * time.Second
	pingsOut     = 3

	// callTimeout bounds Do and Fence if their context does not.
	callTimeout = 5 * time.Second

	firstPause = 50 * time.Millisecond
	longPause  = 2 * time.Second // broker.Engine: pauses of at most 2 s
)

// Options are the settings of an engine.
type Options struct {
	// URL names the servers of one NATS system, separated by commas, each as
	// nats://host:4222 or tls://host:4222. Credentials are a user and a password, or a
	// token in the place of the user, or a file named by ?creds_file= or ?nkey_file=;
	// they go to every server. Servers that a server tells of are used as well.
	URL string

	// Prefix begins every subject: letters, digits, - and _, with single dots between
	// them if need be.
	Prefix string

	// TLS, if set, is used with every server, and none is spoken to without TLS. With
	// nil and a tls URL the roots of the system are trusted.
	TLS *tls.Config

	// Dial, if set, makes the connections instead of TCP.
	Dial func(ctx context.Context, address string) (net.Conn, error)

	// Name is what the servers call the connection.
	Name string

	Log *slog.Logger
}

// Engine is a [broker.Engine] on NATS servers. Run must have been called for
// anything to work.
//
// In subjects, an application's id and a channel's name are one token each: bytes
// other than letters, digits and -_=@,; are written as % and two hex digits, because
// dots separate tokens and *, > and spaces mean something to NATS.
//
// There is one lane, since a server keeps the order of all that one connection
// publishes.
type Engine struct {
	options Options
	servers servers
	log     *slog.Logger

	said string // owned by Run: the last failure that was logged

	need atomic.Pointer[need] // nil for none

	mu         sync.Mutex
	link       *link // nil while down
	mesh       bool  // of the last link
	described  broker.Description
	discovered []string // servers that the last link was told of
}

var _ broker.Engine = (*Engine)(nil)

// New checks the options. Its errors quote no part of the URL.
func New(o Options) (*Engine, error) {
	if err := checkPrefix(o.Prefix); err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	s, err := parseServers(o.URL)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Dial == nil {
		dialer := &net.Dialer{Timeout: dialTimeout}
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			return quietconn.New(conn), nil
		}
	}
	return &Engine{
		options: o, servers: s, log: o.Log,
		described: broker.Description{Engine: "nats"},
	}, nil
}

// Run implements [broker.Engine]. It returns nil when ctx has ended.
func (e *Engine) Run(ctx context.Context, r broker.Receiver) error {
	var pause time.Duration
	for ctx.Err() == nil {
		if lived := e.live(ctx, r); lived > longPause {
			pause = 0
		}
		select {
		case <-time.After(pause - rand.N(pause/4+1)): //nolint:gosec // so that not all nodes come at once
		case <-ctx.Done():
		}
		pause = min(max(2*pause, firstPause), longPause)
	}
	return nil
}

// live makes a link and serves it; it returns how long there was one.
func (e *Engine) live(ctx context.Context, r broker.Receiver) time.Duration {
	l, err := e.connect(ctx)
	if err != nil {
		if text := err.Error(); text != e.said && ctx.Err() == nil {
			e.said = text
			e.log.Warn("cannot connect to NATS", "error", err)
		}
		return 0
	}
	e.said = ""
	begin := time.Now()
	if reason := e.serve(ctx, l, r); reason != nil {
		e.log.Warn("connection to NATS lost", "server", l.server, "error", reason)
	}
	return time.Since(begin)
}

// serve lets the receiver have what comes until the link is lost, and returns why it
// was, or nil if ctx has ended.
func (e *Engine) serve(ctx context.Context, l *link, r broker.Receiver) error {
	defer l.close()
	e.up(l)
	l.call(r, r.Up)
	select {
	case <-l.lost:
		e.down()
		l.call(nil, func() { r.Down(l.why()) })
		return l.why()
	case <-ctx.Done():
		l.fail(context.Cause(ctx))
		e.down()
		l.call(nil, func() {})
		return nil
	}
}

// Do implements [broker.Engine]. A message that is larger than the server takes and
// than Require has asked for can never be sent: it is left out and logged, because
// whoever tries again would not come past it.
func (e *Engine) Do(ctx context.Context, commands []broker.Command) error {
	l := e.current()
	if l == nil {
		return errDown
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.do(ctx, e.options.Prefix, commands)
}

// Fence implements [broker.Engine]: the server answers behind everything that it
// has sent on the connection, and what had come before the answer is received first.
func (e *Engine) Fence(ctx context.Context) error {
	l := e.current()
	if l == nil {
		return errDown
	}
	ctx, cancel := limited(ctx)
	defer cancel()
	return l.fence(ctx)
}

// Reconnect implements [broker.Engine].
func (e *Engine) Reconnect(reason error) {
	if l := e.current(); l != nil {
		l.fail(reason)
	}
}

// Lanes implements [broker.Engine].
func (*Engine) Lanes() int { return 1 }

// Lane implements [broker.Engine].
func (*Engine) Lane(broker.Subject) int { return 0 }

// Mesh implements [broker.Engine]: it is true if the server belongs to a cluster or
// has told of others. Servers that are joined as leaf nodes do not show that; nodes
// have to be connected to servers of one cluster.
func (e *Engine) Mesh() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.mesh
}

// Describe implements [broker.Engine]: it names the server of the link, or of the
// last one.
func (e *Engine) Describe() broker.Description {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.described
	d.Servers = slices.Clone(d.Servers)
	return d
}

func (e *Engine) current() *link {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.link
}

func (e *Engine) up(l *link) {
	e.mu.Lock()
	e.link = l
	e.described.Servers = []string{l.server}
	e.described.Version = l.conn.ConnectedServerVersion()
	e.mu.Unlock()
	e.discover(l.conn)
	e.log.Info("connected to NATS", "server", l.server, "version", l.conn.ConnectedServerVersion(), "mesh", e.Mesh())
}

// discover notes what a server says of others, now and whenever it says more.
func (e *Engine) discover(conn *nats.Conn) {
	others := conn.DiscoveredServers()
	mesh := conn.ConnectedClusterName() != "" || len(others) > 0
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mesh, e.discovered = mesh, others
}

func (e *Engine) down() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.link = nil
}

// limited gives a context without a deadline one.
func limited(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, callTimeout)
}
