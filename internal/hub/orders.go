package hub

import (
	"slices"
	"sync"
)

// orders are, for each other node, the events of it that others have to follow and
// that have not been handed to all their subscribers yet.
type orders struct {
	mu        sync.Mutex
	delivered map[Node][]<-chan struct{}
}

// open returns what is closed when the events have been delivered, nil if all have
// been.
func (o *orders) open(n Node) []<-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prune(n)
	return slices.Clone(o.delivered[n])
}

// add notes an event.
func (o *orders) add(n Node, delivered <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.prune(n)
	if slices.Contains(o.delivered[n], delivered) {
		return
	}
	if o.delivered == nil {
		o.delivered = make(map[Node][]<-chan struct{})
	}
	o.delivered[n] = append(o.delivered[n], delivered)
}

func (o *orders) prune(n Node) {
	left := open(o.delivered[n])
	if left == nil {
		delete(o.delivered, n)
		return
	}
	o.delivered[n] = left
}

func (o *orders) forget(n Node) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.delivered, n)
}

// open returns those that are not closed yet, in the memory of the list; nil for
// none.
func open(all []<-chan struct{}) []<-chan struct{} {
	left := slices.DeleteFunc(all, isClosed)
	if len(left) == 0 {
		return nil
	}
	return left
}

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
