package session

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// timers are a session's deadlines, guarded by Session.timersMu.
type timers struct {
	activity      *time.Timer
	authorization *time.Timer
	probed        bool          // a PING is out
	probedAt      time.Duration // after started
	stopped       bool
}

// Alive notes a sign of life: any frame of the client (§2.4 rule 4). It is
// called for data messages by the session and for control frames by the socket,
// and costs no timer.
func (s *Session) Alive() { s.seen.Store(int64(time.Since(s.started))) }

func (s *Session) startTimers() {
	s.timersMu.Lock()
	defer s.timersMu.Unlock()
	s.Alive()
	s.timers.activity = time.AfterFunc(s.app.ActivityTimeout, s.checkActivity)
	if s.app.AuthorizedConnections {
		s.timers.authorization = time.AfterFunc(s.app.AuthorizedTimeout, s.checkAuthorization)
	}
}

func (s *Session) stopTimers() {
	s.timersMu.Lock()
	defer s.timersMu.Unlock()
	s.timers.stopped = true
	if s.timers.activity != nil {
		s.timers.activity.Stop()
	}
	if s.timers.authorization != nil {
		s.timers.authorization.Stop()
	}
}

// checkActivity runs when the client could have been silent for its timeout. It
// probes a silent client, and closes one that did not answer the probe in time.
func (s *Session) checkActivity() {
	s.timersMu.Lock()
	defer s.timersMu.Unlock()
	if s.timers.stopped {
		return
	}
	t := &s.timers
	now, seen := time.Since(s.started), time.Duration(s.seen.Load())
	switch {
	case t.probed && seen < t.probedAt:
		if left := t.probedAt + s.app.PongTimeout - now; left > 0 {
			t.activity.Reset(left)
			return
		}
		s.Close(protocol.ClosePongTimeout)
	case seen+s.app.ActivityTimeout > now:
		t.probed = false
		t.activity.Reset(seen + s.app.ActivityTimeout - now)
	default:
		t.probed, t.probedAt = true, now
		// An answered probe begins a new silence, which may be the shorter wait.
		t.activity.Reset(min(s.app.PongTimeout, s.app.ActivityTimeout))
		s.attached.Load().Reply(protocol.PingFrame())
	}
}

func (s *Session) checkAuthorization() {
	if !s.attached.Load().Authorized() {
		s.Close(protocol.CloseNotAuthorized)
	}
}
