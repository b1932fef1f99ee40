package journal

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// overhead is what a change takes in memory besides its texts, about.
const overhead = 128

// buffer holds changes in the order in which they were made, by kind.
type buffer struct {
	endpoints []*endpoint // new ones
	forget    bool        // everything that was told to be on before edges
	edges     []edgeChange
	events    []eventOf
	payloads  []payloadChange
	attempts  []attemptOf
	commands  []*command

	count int // of changes
	bytes int // in memory, about
}

type edgeChange struct {
	edge hub.Edge
	on   bool
}

type eventOf struct {
	endpoint *endpoint
	webhook.UnsealedEvent
}

// payloadChange is what a payload is to become.
type payloadChange struct {
	e        *entry
	state    State
	text     *text // new or changed; nil: as it was
	seq      int64 // of a new one: it has the events up to here
	failures int
	due      int64              // Unix milliseconds
	died     int64              // Unix milliseconds; of the dead
	reason   webhook.DropReason // of the dead
}

type attemptOf struct {
	endpoint int64
	webhook.Attempt
}

// text is the part of a payload that is written once. It is not changed.
type text struct {
	timeMS         int64
	events         int
	key, signature string
	channels       []uint64
	body           []byte
}

func textOf(p *webhook.Payload) *text {
	return &text{p.TimeMS, p.Events, p.Key, p.Signature, p.Channels, p.Body}
}

func (t *text) size() int {
	if t == nil {
		return 0
	}
	return len(t.body) + len(t.key) + len(t.signature) + 8*len(t.channels)
}

// grown counts a change in and reports whether the buffer is to be written now.
func (b *buffer) grown(bytes int) (full bool) {
	b.count++
	b.bytes += overhead + bytes
	return b.count == groupCount
}

// next returns the next number. The counter is described in doc.go.
func (j *Journal) nextLocked() int64 {
	j.seq = max(j.seq+1, time.Now().UnixMicro())
	return j.seq
}

// Record implements [webhook.Journal].
func (j *Journal) Record(r webhook.Record, hand func(seq int64)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	seq := j.nextLocked()
	if j.roomLocked() {
		j.keepLocked(r, seq)
	} else {
		j.metrics.skipped.Add(float64(max(1, len(r.Events))))
	}
	hand(seq)
}

func (j *Journal) keepLocked(r webhook.Record, seq int64) {
	size := 0
	if r.Change != webhook.NoEdge {
		j.next.edges = append(j.next.edges, edgeChange{r.Edge, r.Change == webhook.GoesOn})
		size += len(r.Edge.Channel) + len(r.Edge.UserID)
	}
	for _, e := range r.Events {
		to := e.Queue.(*queue).endpoint
		j.next.events = append(j.next.events, eventOf{to, webhook.UnsealedEvent{Seq: seq, Channel: e.Channel, JSON: e.JSON}})
		size += len(e.JSON) + overhead
	}
	j.addedLocked(size, true)
}

// Forget implements [webhook.Journal]. One that is lost in a crash costs at most a
// second telling that the edge is off.
func (j *Journal) Forget(e hub.Edge) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.roomLocked() {
		j.metrics.skipped.Inc()
		return
	}
	j.next.edges = append(j.next.edges, edgeChange{edge: e})
	j.addedLocked(len(e.Channel)+len(e.UserID), false)
}

// ForgetAll implements [webhook.Journal].
func (j *Journal) ForgetAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.told = nil
	if j.closed {
		return
	}
	j.next.forgetAll()
	j.addedLocked(0, true)
}

func (b *buffer) forgetAll() {
	clear(b.edges)
	b.edges, b.forget = b.edges[:0], true
}

// roomLocked reports whether the buffer takes more. It is full only while the
// disk is stuck or refuses to write.
func (j *Journal) roomLocked() bool {
	return !j.closed && j.next.bytes+int(j.retained.Load()) < j.o.BufferBytes
}

// addedLocked lets the writer know. Others than urgent changes may be lost in a
// crash without harm, so they wait for company.
func (j *Journal) addedLocked(size int, urgent bool) {
	full := j.next.grown(size)
	switch {
	case full:
		j.writeLocked(0)
	case urgent && !j.urgent:
		j.urgent = true
		j.writeLocked(groupDelay)
	case j.due.IsZero():
		j.writeLocked(lazyDelay)
	}
}

// writeLocked wants the buffer written after a delay at the latest. The delay
// begins now, whatever the writer is at.
func (j *Journal) writeLocked(within time.Duration) {
	at := time.Now().Add(within)
	if j.due.IsZero() || at.Before(j.due) {
		j.due = at
		signal(j.planned)
	}
}

// put takes a new payload. If it cannot be kept it is only in memory.
func (j *Journal) put(e *entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.id = j.nextLocked()
	e.place, e.p.ID = e.id, e.id
	if !j.roomLocked() {
		e.volatile = true
		j.metrics.skipped.Add(float64(e.p.Events))
		return
	}
	t := textOf(e.p)
	j.next.payloads = append(j.next.payloads, payloadChange{e: e, state: Waiting, text: t, seq: e.p.Seq})
	j.addedLocked(t.size(), true)
}

// change takes a change of a payload that is in the journal.
func (j *Journal) change(c payloadChange) {
	if c.e.volatile {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return
	}
	j.next.payloads = append(j.next.payloads, c)
	j.addedLocked(c.text.size(), false)
}

// LogAttempt implements [webhook.AttemptLog].
func (j *Journal) LogAttempt(a webhook.Attempt) {
	key := keyOf(a.App, a.URL, a.Nth)
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.endpoints[key]
	if e == nil || !j.roomLocked() {
		j.metrics.skippedAttempts.Inc()
		return
	}
	a.URL = "" // not to be written
	j.next.attempts = append(j.next.attempts, attemptOf{e.id, a})
	j.addedLocked(len(a.Answer)+len(a.Error), false)
}

// take empties the buffer.
func (j *Journal) take() (b buffer) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b, j.next = j.next, j.spare
	j.spare = buffer{}
	j.due, j.urgent = time.Time{}, false
	for _, c := range b.commands {
		c.first = j.seq + 1
		j.seq += int64(c.places)
	}
	return b
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
