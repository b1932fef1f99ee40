package ws

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/netpoll"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
	"github.com/pipesocket/pipesocketd/internal/session"
	"github.com/pipesocket/pipesocketd/internal/wheel"
)

// Options are what a handler admits connections by.
type Options struct {
	Registry *apps.Registry
	Session  session.Options
	Log      *slog.Logger

	Mount           string // path prefix without slash at the end, "" for none
	DefaultProtocol int    // for connections that name none; 0 refuses them
	MessageBytes    int64  // largest inbound message
	MaxConnections  int64  // of the process, refused ones included while they last
	ConnectionRate  ratelimit.Limit
	ExemptAddresses []netip.Prefix // not subject to ConnectionRate
	TrustedProxies  []netip.Prefix // whose X-Forwarded-… headers are believed
	Goroutines      bool           // serve every connection by a goroutine of its own
}

// deadlineTick is how exact deadlines are: the shortest is a second.
const deadlineTick = 100 * time.Millisecond

// maxCloseSpacing is the longest pause between two closes of a drain, so that a
// server with few connections does not take the whole window to stop.
const maxCloseSpacing = 100 * time.Millisecond

// reconnectPause is how long a connection that comes during a drain is kept
// before it is closed with 4200: official clients come back at once, and until
// the load balancer has noticed they would come back here.
const reconnectPause = 500 * time.Millisecond

// refusalBacklog is how much a refused connection may have waiting: its last
// frames and pongs.
const refusalBacklog = 4 << 10

// Handler upgrades requests and owns the resulting sessions.
type Handler struct {
	// set by New, immutable
	o          Options
	perAddress *ratelimit.PerAddress

	background sync.WaitGroup     // the wheel
	started    sync.Once          // by the first request
	stop       context.CancelFunc // nil before
	startLoops sync.Once
	poller     *netpoll.Poller // by startLoops, nil without loops

	draining atomic.Bool
	open     atomic.Int64 // connections from the first look at the request on; read without mu
	refusals refusalCounts

	mu       sync.Mutex
	ended    sync.Cond // a connection has ended; on mu
	running  int       // as open, for ended
	sessions map[*session.Session]struct{}
}

// New returns a handler without connections. Nothing runs before the first
// request; [Handler.Wait] ends what has been started.
func New(o Options) *Handler {
	h := &Handler{
		o:          o,
		perAddress: ratelimit.NewPerAddress(o.ConnectionRate),
		sessions:   make(map[*session.Session]struct{}),
	}
	h.ended.L = &h.mu
	h.o.Session.Wheel = wheel.New(deadlineTick)
	return h
}

// start begins the handler's own work: to watch deadlines and memory.
func (h *Handler) start() {
	ctx, stop := context.WithCancel(context.Background())
	h.stop = stop
	h.background.Go(func() { h.giveBack(ctx) })
	h.background.Go(func() { _ = h.o.Session.Wheel.Run(ctx) }) // fails only if it is run twice
}

// loopsFor returns the loops that can serve a connection, nil if it gets a
// goroutine of its own. They are started when the first connection needs them.
func (h *Handler) loopsFor(conn net.Conn) *netpoll.Poller {
	if _, _, ok := socketBelow(conn); !ok || h.o.Goroutines {
		return nil
	}
	h.startLoops.Do(func() {
		var err error
		if h.poller, err = netpoll.New(newWork); err != nil {
			h.poller = nil
			if !errors.Is(err, errors.ErrUnsupported) {
				h.o.Log.Warn("each connection gets a goroutine of its own, which takes more memory", "error", err)
			}
		}
	})
	return h.poller
}

// IsUpgrade reports whether a request asks for a WebSocket: those go to the
// handler, whatever their path.
func IsUpgrade(r *http.Request) bool {
	return headerHasToken(r.Header, "Upgrade", "websocket")
}

// ServeHTTP implements http.Handler. Every well-formed upgrade is completed, and
// a refusal told by a close frame: a browser cannot see the status of a refused
// upgrade, and pusher-js would retry for ever (§1.2).
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.started.Do(h.start)
	h.begin() // first, so that admit counts this connection and Drain waits for it
	taken := false
	defer func() {
		if !taken {
			h.end()
		}
	}()
	verdict := h.admit(r)
	c, err := h.accept(w, r, verdict)
	if err != nil {
		h.o.Log.Debug("websocket handshake refused", "error", err)
		return
	}
	taken = true
	// The handler returns so that net/http lets go of the request and its buffers.
	go c.begin(verdict) //nolint:contextcheck // a session outlives its request
}

func (h *Handler) begin() {
	h.open.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running++
}

func (h *Handler) end() {
	h.open.Add(-1)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running--
	h.ended.Broadcast()
}

// accept completes the handshake.
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, verdict admission) (*connection, error) {
	c := &connection{handler: h}
	hj := &hijacker{ResponseWriter: w, conn: c, backlogBytes: refusalBacklog}
	if verdict.app != nil {
		hj.backlogBytes = verdict.app.BacklogBytes
	}
	options := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // origins are the app's own, checked by admit
		OnPingReceived:     func(context.Context, []byte) bool { c.control(); return true },
		OnPongReceived:     func(context.Context, []byte) { c.control() },
	}
	if verdict.app != nil && verdict.app.Compression {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	if verdict.subprotocol != "" {
		options.Subprotocols = []string{verdict.subprotocol}
	}
	library, err := websocket.Accept(hj, r, options)
	if err != nil {
		if hj.hijacked {
			c.out.End()
		}
		return nil, err
	}
	library.SetReadLimit(h.o.MessageBytes)
	c.in.Reset((*libraryConn)(c))                                 // what came early is with the source; the library's own wrapping is not needed
	c.deflate = hj.Header().Get("Sec-WebSocket-Extensions") != "" // set by the library if it agreed
	c.library, c.budget = library, 2*int(h.o.MessageBytes)+framingBytes
	return c, nil
}

// begin serves a connection that has been accepted, on a goroutine of its own.
func (c *connection) begin(verdict admission) {
	h := c.handler
	if verdict.refusal != nil {
		defer h.end()
		h.refusals.add(verdict.refusal.Code)
		if *verdict.refusal == protocol.CloseReconnect {
			time.Sleep(reconnectPause)
		}
		errorFrame := h.o.Session.ErrorBeforeClose || verdict.refusal.NeedsErrorFrame(verdict.version)
		session.Refuse(c.out, c, *verdict.refusal, errorFrame)
		return
	}
	c.session = session.New(&h.o.Session, verdict.app, verdict.version, c.deflate, c.out, c)
	h.add(c.session)
	if refusal := c.session.Start(); refusal != nil {
		h.refusals.add(refusal.Code)
		c.ended()
		return
	}
	c.goOn(&hub.Turn{})
}

// goOn serves the connection on a goroutine that belongs to it, until it ends or
// a loop can wait for more.
func (c *connection) goOn(turn *hub.Turn) {
	for c.serve(turn) {
		turn.End()
		if p, ok := c.source.(*polled); ok && p.attach() {
			return
		}
	}
	turn.End()
}

// serve carries out what has come, and reports whether more may come.
func (c *connection) serve(turn *hub.Turn) (more bool) {
	c.turn = turn
	if more = c.session.Serve(turn); !more {
		c.ended()
	}
	return more
}

func (c *connection) ended() {
	c.handler.remove(c.session)
	c.handler.end()
}

func (h *Handler) add(s *session.Session) {
	h.mu.Lock()
	h.sessions[s] = struct{}{}
	h.mu.Unlock()
	if h.draining.Load() { // the drain may have missed it
		s.Close(protocol.CloseReconnect)
	}
}

func (h *Handler) remove(s *session.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sessions, s)
}

// Drain refuses new connections with 4200 and closes the present ones with it,
// in random order, spread evenly over the window, so that their reconnecting
// does not come down on the other servers at once. It returns when every session
// has ended, and drops those that are left when ctx ends.
func (h *Handler) Drain(ctx context.Context, window time.Duration) {
	h.draining.Store(true)
	open := h.snapshot()
	rand.Shuffle(len(open), func(i, j int) { //nolint:gosec // nothing to guess here
		open[i], open[j] = open[j], open[i]
	})
	pause := time.NewTimer(0)
	defer pause.Stop()
	for _, s := range open {
		if !h.serving(s) {
			continue // ended by itself
		}
		select {
		case <-pause.C:
			pause.Reset(min(maxCloseSpacing, window/time.Duration(len(open))))
		case <-ctx.Done():
		}
		s.Close(protocol.CloseReconnect)
	}
	h.awaitSessions(ctx)
}

func (h *Handler) serving(s *session.Session) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, ok := h.sessions[s]
	return ok
}

func (h *Handler) awaitSessions(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		for _, s := range h.snapshot() {
			s.Abort()
		}
	})
	defer stop()
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.sessions) > 0 {
		h.ended.Wait()
	}
}

// Wait returns when every connection has ended, refused ones included, which
// takes a few seconds at most, and the handler's own goroutines too. Call it
// once, after Drain, when no requests come any more.
func (h *Handler) Wait() {
	h.awaitConnections()
	if h.stop != nil {
		h.stop()
	}
	h.background.Wait()
	if h.poller != nil {
		_ = h.poller.Close() // of descriptors that nobody uses any more
	}
}

func (h *Handler) awaitConnections() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.running > 0 {
		h.ended.Wait()
	}
}

func (h *Handler) snapshot() []*session.Session {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*session.Session, 0, len(h.sessions))
	for s := range h.sessions {
		all = append(all, s)
	}
	return all
}

// Full reports whether new connections are refused for want of room.
func (h *Handler) Full() bool { return h.open.Load() >= h.o.MaxConnections }
