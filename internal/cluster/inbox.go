package cluster

import "sync"

// inbox is what the engine has received and the worker has not taken yet, and
// what else the worker is to do, in order. It is bounded in bytes: a full one holds the
// engine back.
type inbox struct {
	wake chan struct{} // for the worker, capacity 1, never closed

	mu     sync.Mutex
	room   sync.Cond // of mu: bytes have become fewer, or closed
	items  []arrival
	bytes  int
	closed bool
}

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
}

// do has the worker call f after what has arrived before.
func (i *inbox) do(f func(*worker)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.addLocked(arrival{do: f})
}

func (i *inbox) addLocked(a arrival) {
	if i.closed {
		return
	}
	i.items = append(i.items, a)
	if len(i.items) > 1 {
		return // the first one has woken
	}
	select {
	case i.wake <- struct{}{}:
	default: // the worker will look anyway
	}
}

// take returns what has arrived. The result of the last call, which is done with,
// serves again.
func (i *inbox) take(used []arrival) []arrival {
	clear(used)
	i.mu.Lock()
	defer i.mu.Unlock()
	taken := i.items
	i.items = nil
	if cap(used) <= 4096 {
		i.items = used[:0]
	}
	i.bytes = 0
	i.room.Broadcast()
	return taken
}

// close lets nothing in any more, and nobody wait.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	i.items = nil
	i.room.Broadcast()
}
