package session

import (
	"runtime/debug"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// bug is a panic that ends a connection.
type bug struct {
	where hub.PanicPlace
	value any
	stack []byte
}

// brokenLine is the line of an outbox that has panicked. It carries the bug to
// where it is logged, so that no other outbox needs room for one.
type brokenLine struct {
	line
	bug bug
}

// fail gives the connection up for a bug: it cannot be known what of a frame has
// been written, so no close frame follows. The first bug is kept.
func (o *Outbox) fail(b bug) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failLocked(b)
}

func (o *Outbox) failLocked(b bug) {
	if o.line == nil {
		return // it has ended
	}
	if _, failed := o.line.(brokenLine); !failed {
		o.line = brokenLine{line: o.line, bug: b}
	}
	o.breakLocked()
}

// bug returns what the outbox was given up for, if it was.
func (o *Outbox) bug() (b bug, failed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l, failed := o.line.(brokenLine)
	return l.bug, failed
}

// recoverFlush, deferred, makes a panic of a flusher the end of the connection.
func (o *Outbox) recoverFlush() {
	if value := recover(); value != nil {
		o.fail(bug{hub.PanicInFlush, value, debug.Stack()})
	}
}

func (o *Outbox) recoverFlushLocked() {
	if value := recover(); value != nil {
		o.failLocked(bug{hub.PanicInFlush, value, debug.Stack()})
	}
}

var _ hub.Breakable = (*Session)(nil)

// Panicked implements [hub.Breakable]: the connection is dropped. Its reader
// notices and logs the bug; here the hub's locks may be held.
func (s *Session) Panicked(value any, stack []byte) {
	s.out.fail(bug{hub.PanicInDelivery, value, stack})
}

// panicked turns a bug in carrying out a message into the end of the connection.
func (s *Session) panicked(attachment *hub.Attachment, value any) {
	attachment.CountPanic(hub.PanicInCommand)
	s.logBug(bug{hub.PanicInCommand, value, debug.Stack()})
	s.Close(protocol.CloseServerError)
}

// reportBug tells of the bug that has ended the outbox, if one has. The hub has
// counted its own.
func (s *Session) reportBug() {
	b, failed := s.out.bug()
	if !failed {
		return
	}
	if attachment := s.attached.Load(); attachment != nil && b.where == hub.PanicInFlush {
		attachment.CountPanic(b.where)
	}
	s.logBug(b)
}

func (s *Session) logBug(b bug) {
	s.o.Log.Error("session panicked", "app", s.app.ID, "where", b.where, "panic", b.value, "stack", string(b.stack))
}
