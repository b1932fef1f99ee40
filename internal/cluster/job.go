package cluster

import (
	"iter"
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// job is an answer in parts. Each batch takes one part along, so that events do not
// wait for it.
type job struct {
	to      broker.NodeID
	request uint64
	after   []uint64      // of a recovery: by lane, the last number that the node has
	newest  time.Duration // of a recovery: only what is no older; 0: whatever its age
	recover bool          // else a snapshot

	// Owned by the writer.
	part   uint64
	cursor uint64 // of a recovery: the next element of the ring
	state  *stateWalk
}

// maxJobs is how many answers get a part in one batch.
const maxJobs = 4

// addJob takes a job. A newer one of the same kind for the same node is instead of the
// old one, which nobody waits for any more.
func (w *writer) addJob(j *job) {
	for i, old := range w.jobs {
		if old.to == j.to && old.recover == j.recover {
			old.end()
			w.jobs[i] = j
			return
		}
	}
	w.jobs = append(w.jobs, j)
}

func (w *writer) dropJobs() {
	for _, j := range w.jobs {
		j.end()
	}
	w.jobs = nil
}

func (j *job) end() {
	if j.state != nil {
		j.state.end()
	}
}

// answerJobs adds the next parts to the batch. Jobs take turns.
func (w *writer) answerJobs() {
	for range min(len(w.jobs), maxJobs) {
		j := w.jobs[0]
		w.jobs = slices.Delete(w.jobs, 0, 1)
		done := false
		if j.recover {
			done = w.recoverPart(j)
		} else {
			done = w.snapshotPart(j)
		}
		j.part++
		if !done {
			w.jobs = append(w.jobs, j)
		}
	}
}

// recoverPart sends a node a part of the events that it has missed.
func (w *writer) recoverPart(j *job) (done bool) {
	part := broker.Recovered{Request: j.request, Part: j.part}
	if j.part == 0 {
		w.beginRecovery(j)
	}
	j.cursor = max(j.cursor, w.ring.sent.first)
	bytes := 0
	for ; j.cursor < w.ring.sent.end && bytes < partBytes; j.cursor++ {
		e := w.ring.sent.slot(j.cursor)
		if e.number <= j.after[e.lane] {
			continue
		}
		addLost(&part, e.lane, e.number-j.after[e.lane]-1)
		j.after[e.lane] = e.number
		part.Messages = append(part.Messages, e.message)
		bytes += len(e.message)
	}
	if part.End = j.cursor >= w.ring.sent.end; part.End {
		for lane, last := range w.ring.evicted { // of which nothing later is left
			addLost(&part, lane, max(last, j.after[lane])-j.after[lane])
		}
	}
	w.metrics.replayed.Add(float64(len(part.Messages)))
	b := &w.batch
	start := len(b.scratch)
	b.scratch = part.Append(b.scratch, w.id)
	b.message(toNode(j.to), start, forgotten)
	return part.End
}

// beginRecovery finds where a recovery begins. What is too old for it counts as had.
func (w *writer) beginRecovery(j *job) {
	j.after = append(j.after, make([]uint64, max(0, len(w.numbers)-len(j.after)))...)[:len(w.numbers)]
	j.cursor = w.ring.sent.first
	if j.newest == 0 {
		return
	}
	for lane, last := range w.ring.evicted {
		j.after[lane] = max(j.after[lane], last)
	}
	now := w.clock.now()
	for ; j.cursor < w.ring.sent.end; j.cursor++ {
		e := w.ring.sent.slot(j.cursor)
		if now-e.at <= j.newest {
			return
		}
		j.after[e.lane] = max(j.after[e.lane], e.number)
	}
}

// addLost adds to what is missing in an answer.
func addLost(part *broker.Recovered, lane int, events uint64) {
	if events == 0 {
		return
	}
	for len(part.Lost) <= lane {
		part.Lost = append(part.Lost, 0)
	}
	part.Lost[lane] += events
}

// snapshotPart sends a node a part of everything that this node has to tell.
func (w *writer) snapshotPart(j *job) (done bool) {
	if j.state == nil {
		j.state = w.walk(j.to)
	}
	part := broker.Snapshot{Request: j.request, Part: j.part, State: broker.State{Seq: w.seq}}
	for bytes := 0; bytes < partBytes; {
		n, ok := j.state.next(&part)
		if !ok {
			part.End = true
			break
		}
		bytes += n
	}
	b := &w.batch
	start := len(b.scratch)
	b.scratch = part.Append(b.scratch, w.id)
	b.message(toNode(j.to), start, forgotten)
	if part.End {
		j.end()
	}
	return part.End
}

// stateWalk goes through all shares, told edges and fills. What is changed
// meanwhile is told again after it, as any change is.
type stateWalk struct {
	pull  func() (walked, bool)
	close func()
}

// walked is one thing of a walk; one of the fields is set.
type walked struct {
	share hub.Share
	told  broker.Told
	fill  *hub.Relayed
}

// walk begins a walk for a node. Shares are read again when their turn comes: one from
// the walk may be older than a change that has been sent since.
func (w *writer) walk(to broker.NodeID) *stateWalk {
	// Fills all nodes but the one that asks know alike: one of them tells. So it is with
	// told edges of a node that has gone, but they are few, and too much depends on them.
	others := w.outlook.view.without(to)
	told := w.told.writtenBy(func(writer broker.NodeID, _ hub.Edge) bool {
		return writer == w.id || !others.has(writer)
	})
	all := func(yield func(walked) bool) {
		for s := range w.hub.Shares() {
			if s = w.hub.Share(s.ShareKey); !s.Zero() && !yield(walked{share: s}) {
				return
			}
		}
		for _, e := range told {
			if !yield(walked{told: w.told.register(e)}) {
				return
			}
		}
		for r := range w.hub.Fills() {
			if r.Fill != nil && others.home(r.App, r.Channel) == w.id && !yield(walked{fill: &r}) {
				return
			}
		}
	}
	pull, stop := iter.Pull(iter.Seq[walked](all))
	return &stateWalk{pull: pull, close: stop}
}

func (s *stateWalk) end() { s.close() }

// next adds one thing to a part; bytes is about what it takes.
func (s *stateWalk) next(part *broker.Snapshot) (bytes int, ok bool) {
	v, ok := s.pull()
	switch {
	case !ok:
		return 0, false
	case v.fill != nil:
		part.Fills = append(part.Fills, *v.fill)
		return 64 + len(v.fill.Channel) + len(v.fill.Fill.Data), true
	case v.share.Kind != 0:
		part.Shares = append(part.Shares, v.share)
		return shareSize(&v.share), true
	default:
		part.Told = append(part.Told, v.told)
		return toldSize(v.told.Edge), true
	}
}
