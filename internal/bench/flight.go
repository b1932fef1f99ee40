package bench

// flightSlots is how many requests are followed at a time. More than any closed
// loop has in flight; an open loop that runs further ahead loses track of the
// oldest, which is counted nowhere but there.
const flightSlots = 1 << 14

// flight follows requests until all their deliveries have arrived.
type flight struct {
	each     uint32 // deliveries of one request
	slots    []flightSlot
	complete func() // called for each request that has arrived everywhere
}

type flightSlot struct {
	id   uint64 // of the request, plus one; 0 for none
	left uint32
}

func newFlight(each int, complete func()) *flight {
	return &flight{each: uint32(each), slots: make([]flightSlot, flightSlots), complete: complete}
}

// arrived notes one delivery of a request.
func (f *flight) arrived(request uint64) {
	slot := &f.slots[request%flightSlots]
	switch id := request + 1; {
	case slot.id > id:
		return // long displaced
	case slot.id < id:
		if slot.left > 0 {
			f.complete() // the one displaced will never be, and must not hold the loop up
		}
		*slot = flightSlot{id: id, left: f.each}
	}
	if slot.left == 0 {
		return // more deliveries than subscriptions: the tally tells
	}
	if slot.left--; slot.left == 0 {
		f.complete()
	}
}
