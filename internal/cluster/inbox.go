package cluster

import "sync"

// inbox is what the engine has received and nobody has worked off yet, and what else
// the worker is to do, in order. It is bounded in bytes: a full one holds the engine
// back.
//
// Whoever has claimed it is the worker, until done. That is a goroutine of its own,
// or, for a few messages that have come alone, the engine's that has brought them:
// handing them over to another one would take longer than most of them do.
type inbox struct {
	wake chan struct{} // for the worker's goroutine, capacity 1, never closed

	mu      sync.Mutex
	room    sync.Cond // of mu: bytes have become fewer, or closed
	items   []arrival
	free    []arrival // memory for items
	bytes   int
	others  int  // items that are not messages
	rests   bool // the engine has rested: messages may wait for others until it does again
	claimed bool
	parked  bool // what the worker has parked needs a look in a while
	closed  bool
}

// Messages that wait for others until the engine rests.
const (
	fewMessages = 16
	fewBytes    = 64 << 10
)

// arrival is a message, or something to do.
type arrival struct {
	message []byte
	do      func(*worker)
}

func newInbox() *inbox {
	i := &inbox{wake: make(chan struct{}, 1)}
	i.room.L = &i.mu
	return i
}

// Receive implements [broker.Receiver].
func (n *Node) Receive(message []byte) { n.inbox.receive(message) }

func (i *inbox) receive(message []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for i.bytes > maxInboxBytes && !i.closed {
		i.room.Wait()
	}
	i.bytes += len(message)
	i.addLocked(arrival{message: message})
	if !i.rests || !i.fewLocked() {
		i.wakeLocked()
	}
}

func (i *inbox) fewLocked() bool {
	return i.others == 0 && len(i.items) <= fewMessages && i.bytes <= fewBytes
}

// Rest implements [broker.Rester].
func (n *Node) Rest() { n.inbox.rest(n.worker) }

// rest works off the messages that have come, if they are few and nobody else is at
// work.
func (i *inbox) rest(w *worker) {
	i.mu.Lock()
	if i.rests = true; len(i.items) == 0 || i.claimed {
		i.mu.Unlock()
		return // who has claimed it looks again
	}
	if !i.fewLocked() {
		i.wakeLocked()
		i.mu.Unlock()
		return
	}
	items := i.claimLocked()
	i.mu.Unlock()
	w.work(items)
	i.done(items, w.parked > 0)
}

// do has the worker call f after what has arrived before.
func (i *inbox) do(f func(*worker)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.addLocked(arrival{do: f})
	i.others++
	i.wakeLocked()
}

// after has f called when what has arrived before is worked off: at once, if it is.
func (i *inbox) after(f func()) {
	i.mu.Lock()
	done := len(i.items) == 0 && !i.claimed
	i.mu.Unlock()
	if done {
		f()
		return
	}
	i.do(func(*worker) { f() })
}

func (i *inbox) addLocked(a arrival) {
	if !i.closed {
		i.items = append(i.items, a)
	}
}

// wakeLocked wakes the worker's goroutine, unless somebody is at work, who will look
// again.
func (i *inbox) wakeLocked() {
	if i.claimed {
		return
	}
	select {
	case i.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// claim makes the caller the worker, if nobody is. It returns what has arrived.
func (i *inbox) claim() (items []arrival, ok bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.claimed {
		return nil, false
	}
	return i.claimLocked(), true
}

func (i *inbox) claimLocked() []arrival {
	items := i.items
	i.items, i.free = i.free, nil
	i.claimed, i.bytes, i.others = true, 0, 0
	i.room.Broadcast()
	return items
}

// done ends a claim. The items have been worked off.
func (i *inbox) done(items []arrival, parked bool) {
	clear(items)
	i.mu.Lock()
	defer i.mu.Unlock()
	if cap(items) <= 4096 {
		i.free = items[:0]
	}
	i.claimed = false
	if parked && !i.parked || len(i.items) > 0 {
		i.wakeLocked()
	}
	i.parked = parked
}

func (i *inbox) hasParked() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.parked
}

// close lets nothing in any more, and nobody wait.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.items = nil
	i.room.Broadcast()
}
