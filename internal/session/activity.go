package session

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/wheel"
)

// deadlines are what a session has to be looked at for, guarded by Session.mu.
// There is one timer: it stands at the earliest of them, and at the end of the
// grace once the connection is closing.
type deadlines struct {
	timer    wheel.Timer
	probed   bool          // a PING is out
	probedAt time.Duration // after started
	closing  bool          // the connection is to be aborted when the timer fires
	over     bool          // nothing is scheduled any more
}

// Alive notes a sign of life: any frame of the client (§2.4 rule 4). It is
// called for data messages by the session and for control frames by the socket,
// and costs no timer.
func (s *Session) Alive() { s.seen.Store(int64(time.Since(s.started))) }

// Unfinished notes that a part of a message has come and the rest is waited for,
// on the goroutine that reads; once for each message, so that whatever comes in
// between does not lengthen it. It costs no timer: the session is looked at often
// enough anyway.
func (s *Session) Unfinished() { s.unfinished.Store(int64(max(1, time.Since(s.started)))) }

// Finished notes that the message has come that [Session.Unfinished] told of.
func (s *Session) Finished() { s.unfinished.Store(0) }

// closeUnfinished ends a connection whose message does not end. Every official
// client connects again at once after it.
var closeUnfinished = protocol.CloseError{Code: protocol.ClosePongTimeout.Code, Reason: "Message not finished in time"}

// messageLeft returns how much of its time an unfinished message has left, and
// false if there is none. It has as long as a client may be silent, probe
// included: a message in one frame cannot take longer in any case, since no pong
// can be sent in the middle of a frame.
func (s *Session) messageLeft(now time.Duration) (left time.Duration, ok bool) {
	since := time.Duration(s.unfinished.Load())
	return since + s.app.ActivityTimeout + s.app.PongTimeout - now, since > 0
}

func (s *Session) startDeadlines() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Alive()
	if !s.deadlines.closing {
		s.scheduleLocked(s.app.ActivityTimeout)
	}
}

// scheduleLocked has the session looked at in d, or earlier when it has to be
// authorized by then, or its message to be finished. A message that begins after
// this has more time than any d.
func (s *Session) scheduleLocked(d time.Duration) {
	if left, ok := s.messageLeft(time.Since(s.started)); ok {
		d = min(d, left)
	}
	if s.app.AuthorizedConnections && !s.attached.Load().Authorized() {
		d = min(d, s.app.AuthorizedTimeout-time.Since(s.started))
	}
	s.o.Wheel.Schedule(&s.deadlines.timer, d, s)
}

// abortIn ends the connection in d unless it ends before; a second call has no
// effect.
func (s *Session) abortIn(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abortInLocked(d)
}

func (s *Session) abortInLocked(d time.Duration) {
	if s.deadlines.closing || s.deadlines.over {
		return
	}
	s.deadlines.closing = true
	s.o.Wheel.Schedule(&s.deadlines.timer, d, s)
}

// Expire implements [wheel.Expirer].
func (s *Session) Expire(*wheel.Timer) {
	switch s.due() {
	case abort:
		s.out.Abort()
	case unauthorized:
		s.Close(protocol.CloseNotAuthorized)
	case unfinished:
		s.Close(closeUnfinished)
	case silent:
		s.Close(protocol.ClosePongTimeout)
	case probe:
		s.attached.Load().Reply(protocol.PingFrame())
	case nothing:
	}
}

// due is what has to be done at a deadline.
type due int

const (
	nothing due = iota
	abort
	unauthorized
	unfinished
	silent
	probe
)

// due decides what has to be done now, and schedules the next look. It probes a
// client that was silent for its timeout, and gives up one that did not answer
// the probe in time.
func (s *Session) due() due {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := &s.deadlines
	now, seen := time.Since(s.started), time.Duration(s.seen.Load())
	messageLeft, half := s.messageLeft(now)
	switch {
	case d.over:
		return nothing
	case d.closing:
		return abort
	case s.app.AuthorizedConnections && now >= s.app.AuthorizedTimeout && !s.attached.Load().Authorized():
		return unauthorized
	case half && messageLeft <= 0:
		return unfinished
	case d.probed && seen < d.probedAt:
		if left := d.probedAt + s.app.PongTimeout - now; left > 0 {
			s.scheduleLocked(left)
			return nothing
		}
		return silent
	case seen+s.app.ActivityTimeout > now:
		d.probed = false
		s.scheduleLocked(seen + s.app.ActivityTimeout - now)
		return nothing
	default:
		d.probed, d.probedAt = true, now
		// An answered probe begins a new silence, which may be the shorter wait.
		s.scheduleLocked(min(s.app.PongTimeout, s.app.ActivityTimeout))
		return probe
	}
}
