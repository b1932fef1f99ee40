package redisbroker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// Options say where the server is.
type Options struct {
	// URL is redis://user:password@host:port, or rediss:// for TLS, or unix:// with a
	// path; valkey:// and valkeys:// mean the same as the first two. Further addresses
	// of a cluster or of sentinels are given as addr=host:port, the master's name at
	// Sentinel as master_set=NAME, and the user there as sentinel_username and
	// sentinel_password.
	URL string

	// Prefix begins all names: 1 to 100 letters, digits and -_.: .
	Prefix string

	// TLS holds the authorities and certificates for rediss://; nil: those of the
	// system, and no certificate of our own.
	TLS *tls.Config

	// Log is told when the link goes up and down; nil: nobody is.
	Log *slog.Logger
}

// Engine is a broker.Engine on Redis. Its methods may be called concurrently, as far
// as broker.Engine allows it. Methods of the receiver must not call Do or Fence: they
// hold up the messages that come before the answer.
type Engine struct {
	settings *settings
	log      *slog.Logger

	mu   sync.Mutex
	link *link // nil while it is down

	// calls is held during calls of the receiver; taken before mu.
	calls    sync.Mutex
	receiver broker.Receiver // set by Run
	rester   broker.Rester   // the same, nil if it is none
	up       *link           // whose messages the receiver gets; nil while it is down
}

var _ broker.Engine = (*Engine)(nil)

// New returns an engine that does not connect before Run. It fails if the options
// can never work.
func New(o Options) (*Engine, error) {
	s, err := newSettings(o)
	if err != nil {
		return nil, err
	}
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Engine{settings: s, log: log}, nil
}

// Pauses between attempts to connect, without jitter.
const (
	firstPause = 50 * time.Millisecond
	lastPause  = 2 * time.Second
	steady     = 5 * time.Second // a link that lasted so long begins with firstPause again
)

// Run implements broker.Engine. It returns nil: whatever a server answers, another
// time it may answer differently.
func (e *Engine) Run(ctx context.Context, r broker.Receiver) error {
	e.calls.Lock()
	e.receiver = r
	e.rester, _ = r.(broker.Rester)
	e.calls.Unlock()
	pause, told := firstPause, false
	for {
		begin := time.Now()
		err := e.session(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was asked to end
		}
		if time.Since(begin) > steady {
			pause, told = firstPause, false
		}
		level := slog.LevelWarn
		if told {
			level = slog.LevelDebug
		}
		e.log.Log(ctx, level, "redis: no link", "error", err)
		told = true
		if !sleep(ctx, pause/2+rand.N(pause/2)) { //nolint:gosec // no secret
			return nil
		}
		pause = min(2*pause, lastPause)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// session makes a link and returns why it has ended, or could not be made.
func (e *Engine) session(ctx context.Context) error {
	l, err := connect(ctx, e.settings, e.receive, e.rest)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.fail(ctx.Err()) })()
	e.raise(l)
	l.watch(ctx)
	<-l.ended
	e.lower(l)
	l.close()
	return l.failure()
}

func (e *Engine) raise(l *link) {
	e.log.Info("redis: link is up", "servers", l.describe(), "version", l.servers[0].info.String(), "cluster", l.cluster)
	e.calls.Lock()
	defer e.calls.Unlock()
	e.set(l)
	e.up = l
	e.receiver.Up()
}

func (e *Engine) lower(l *link) {
	e.set(nil)
	e.calls.Lock()
	defer e.calls.Unlock()
	e.up = nil
	e.receiver.Down(l.failure())
}

func (e *Engine) set(l *link) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.link = l
}

// receive hands a message over, unless its link has ended.
func (e *Engine) receive(l *link, message []byte) bool {
	e.calls.Lock()
	defer e.calls.Unlock()
	if e.up != l {
		return false
	}
	e.receiver.Receive(message)
	return true
}

// rest says that nothing more is at hand.
func (e *Engine) rest(l *link) {
	e.calls.Lock()
	defer e.calls.Unlock()
	if e.up == l && e.rester != nil {
		e.rester.Rest()
	}
}

var errDown = errors.New("redis: the link is down")

// use returns the present link, which is not closed before its user is done.
func (e *Engine) use() (*link, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.link == nil {
		return nil, errDown
	}
	if err := e.link.failure(); err != nil {
		return nil, fmt.Errorf("%w: %w", errDown, err)
	}
	e.link.users.Add(1)
	return e.link, nil
}

// Do implements broker.Engine. Subscriptions and ends of subscriptions among the
// commands come first, then messages. If ctx ends while commands are under way, the
// link ends too: they may be carried out still, and no others are to overtake them.
func (e *Engine) Do(ctx context.Context, commands []broker.Command) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := e.use()
	if err != nil {
		return err
	}
	defer l.users.Done()
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { l.fail(fmt.Errorf("a command is late: %w", ctx.Err())) })()
	if err := l.carryOut(ctx, commands); err != nil {
		l.fail(err)
		return fmt.Errorf("redis: %w", l.failure())
	}
	return nil
}

// Fence implements broker.Engine.
func (e *Engine) Fence(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l, err := e.use()
	if err != nil {
		return err
	}
	defer l.users.Done()
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	if err := l.fence(ctx); err != nil {
		return fmt.Errorf("redis: %w", e.settings.redact(err))
	}
	return nil
}

// withDeadline sees to it that a command has a deadline.
func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, commandTimeout)
}

// Reconnect implements broker.Engine.
func (e *Engine) Reconnect(reason error) {
	e.mu.Lock()
	l := e.link
	e.mu.Unlock()
	if l != nil {
		l.fail(reason)
	}
}

// Lanes implements broker.Engine.
func (e *Engine) Lanes() int { return e.settings.lanes }

// Lane implements broker.Engine.
func (e *Engine) Lane(s broker.Subject) int { return e.settings.lane(s) }

// Mesh implements broker.Engine: never, as the package comment explains.
func (e *Engine) Mesh() bool { return false }

// Describe implements broker.Engine. While the link is down it tells the configured
// addresses.
func (e *Engine) Describe() broker.Description {
	e.mu.Lock()
	l := e.link
	e.mu.Unlock()
	d := broker.Description{Engine: "redis", Servers: slices.Sorted(slices.Values(e.settings.addresses))}
	if e.settings.masterSet != "" {
		d.Engine = "redis sentinel"
	}
	if l == nil {
		return d
	}
	if l.cluster {
		d.Engine = "redis cluster"
	}
	d.Servers, d.Version = l.describe(), l.servers[0].info.String()
	return d
}
