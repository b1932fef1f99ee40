package ws

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
	"github.com/pipesocket/pipesocketd/internal/session"
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
}

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

	draining atomic.Bool
	open     atomic.Int64 // connections from the first look at the request on; read without mu
	refusals refusalCounts

	mu       sync.Mutex
	ended    sync.Cond // a connection has ended; on mu
	running  int       // as open, for ended
	sessions map[*session.Session]struct{}
}

// New returns a handler without connections.
func New(o Options) *Handler {
	h := &Handler{
		o:          o,
		perAddress: ratelimit.NewPerAddress(o.ConnectionRate),
		sessions:   make(map[*session.Session]struct{}),
	}
	h.ended.L = &h.mu
	return h
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
	h.begin() // first, so that admit counts this connection and Drain waits for it
	taken := false
	defer func() {
		if !taken {
			h.end()
		}
	}()
	verdict := h.admit(r)
	network, client, err := h.accept(w, r, verdict)
	if err != nil {
		h.o.Log.Debug("websocket handshake refused", "error", err)
		return
	}
	taken = true
	// The handler returns so that net/http lets go of the request and its buffers.
	go func() { //nolint:contextcheck // a session outlives its request
		defer h.end()
		h.serve(verdict, network, client)
	}()
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
func (h *Handler) accept(w http.ResponseWriter, r *http.Request, verdict admission) (*conn, *liveSocket, error) {
	hj := &hijacker{ResponseWriter: w, backlogBytes: refusalBacklog}
	if verdict.app != nil {
		hj.backlogBytes = verdict.app.BacklogBytes
	}
	client := &liveSocket{}
	options := &websocket.AcceptOptions{
		InsecureSkipVerify: true, // origins are the app's own, checked by admit
		OnPingReceived:     func(context.Context, []byte) bool { client.control(); return true },
		OnPongReceived:     func(context.Context, []byte) { client.control() },
	}
	if verdict.subprotocol != "" {
		options.Subprotocols = []string{verdict.subprotocol}
	}
	library, err := websocket.Accept(hj, r, options)
	if err != nil {
		if hj.conn != nil {
			_ = hj.conn.Conn.Close()
		}
		return nil, nil, err
	}
	library.SetReadLimit(h.o.MessageBytes)
	hj.conn.budget = 2*int(h.o.MessageBytes) + framingBytes
	client.socket = socket{conn: hj.conn, library: library}
	return hj.conn, client, nil
}

// liveSocket tells the session of control frames, which only the library sees.
// session is set before the first read and nil for refused connections.
type liveSocket struct {
	socket
	session *session.Session
}

func (s *liveSocket) control() {
	s.unread = 0
	if s.session != nil {
		s.session.ControlReceived()
	}
}

func (h *Handler) serve(verdict admission, network *conn, client *liveSocket) {
	if verdict.refusal != nil {
		h.refusals.add(verdict.refusal.Code)
		if *verdict.refusal == protocol.CloseReconnect {
			time.Sleep(reconnectPause)
		}
		errorFrame := h.o.Session.ErrorBeforeClose || verdict.refusal.NeedsErrorFrame(verdict.version)
		session.Refuse(network.Conn, network.out, client, *verdict.refusal, errorFrame)
		return
	}
	s := session.New(&h.o.Session, verdict.app, verdict.version, network.Conn, network.out, client)
	client.session = s
	h.add(s)
	defer h.remove(s)
	if refusal := s.Serve(); refusal != nil {
		h.refusals.add(refusal.Code)
	}
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
// takes a few seconds at most. Call it after Drain, when no requests come any
// more.
func (h *Handler) Wait() {
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
