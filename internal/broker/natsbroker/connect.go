package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
)

var (
	errDown     = errors.New("not connected to NATS")
	errClosed   = errors.New("the server closed the connection")
	errLameDuck = errors.New("the server is about to stop")
)

// connect tries every server that is known, once each.
func (e *Engine) connect(ctx context.Context) (*link, error) {
	l := newLink(e.log, &e.need)
	d := &dialer{ctx: ctx, dial: e.options.Dial, link: l}
	options := append([]nats.Option{
		nats.Name(e.options.Name),
		nats.NoReconnect(),
		nats.ReconnectBufSize(-1), // nothing is to be believed sent that was not
		nats.ReconnectOnFlusherError(),
		nats.Timeout(dialTimeout),
		nats.FlusherTimeout(writeTimeout),
		nats.PingInterval(pingInterval),
		nats.MaxPingsOutstanding(pingsOut),
		nats.SetCustomDialer(d),
		nats.SkipHostLookup(), // the dialer does it, and minds ctx
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if spoils(err) {
				l.fail(err)
			}
		}),
		nats.LameDuckModeHandler(func(*nats.Conn) { l.fail(errLameDuck) }),
		nats.DiscoveredServersHandler(e.discover),
		nats.ClosedHandler(func(conn *nats.Conn) {
			l.fail(conn.LastError())
			close(l.closed)
		}),
	}, e.servers.auth...)
	if e.options.TLS != nil {
		options = append(options, nats.Secure(e.options.TLS))
	} else if e.servers.secure {
		options = append(options, nats.Secure())
	}
	stop := context.AfterFunc(ctx, func() { l.fail(ctx.Err()) })
	conn, err := nats.Connect(strings.Join(e.known(), ","), options...)
	stop()
	if err != nil {
		if errors.Is(err, nats.ErrNoServers) && d.err != nil {
			err = d.err // which says what is wrong with the last one
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	l.conn, l.server = conn, conn.ConnectedAddr()
	if err := e.need.Load().unmet(conn); err != nil {
		l.fail(err)
	}
	if reason := l.why(); reason != nil { // ctx, or the server has thought better of it
		l.close()
		return nil, fmt.Errorf("connect: %w", reason)
	}
	return l, nil
}

// known returns the configured servers and those that the last one has told of.
func (e *Engine) known() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Concat(e.servers.urls, e.discovered)
}

// dialer makes the connections of one attempt, through a gate each.
type dialer struct {
	ctx  context.Context //nolint:containedctx // the library's interface has none
	dial func(ctx context.Context, address string) (net.Conn, error)
	link *link
	err  error
}

// Dial implements nats.CustomDialer.
func (d *dialer) Dial(_, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, dialTimeout)
	defer cancel()
	conn, err := d.dial(ctx, address)
	if err != nil {
		d.err = err
		return nil, err
	}
	return d.link.through(conn), nil
}
