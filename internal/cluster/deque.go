package cluster

// deque is a queue in a ring of memory. Its elements are counted from the first
// one that was ever pushed, so that a number names an element for good.
type deque[T any] struct {
	ring  []T // a power of two long
	first uint64
	end   uint64
}

// small is the ring that a deque keeps when it is empty.
const small = 1024

func (d *deque[T]) len() int { return int(d.end - d.first) }

func (d *deque[T]) slot(n uint64) *T { return &d.ring[n&uint64(len(d.ring)-1)] }

func (d *deque[T]) push(v T) {
	if d.len() == len(d.ring) {
		d.resize(max(16, 2*len(d.ring)))
	}
	*d.slot(d.end) = v
	d.end++
}

// pop removes the first element; there must be one.
func (d *deque[T]) pop() T {
	var zero T
	s := d.slot(d.first)
	v := *s
	*s = zero
	d.first++
	if d.first == d.end && len(d.ring) > small {
		d.ring = nil
	}
	return v
}

func (d *deque[T]) resize(n int) {
	ring := make([]T, n)
	for i := d.first; i != d.end; i++ {
		ring[i&uint64(n-1)] = *d.slot(i)
	}
	d.ring = ring
}
