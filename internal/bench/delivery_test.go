package bench

import (
	"math"
	"testing"
)

// The generator shares the machine with what it measures.
func TestDeliveriesDoNotAllocate(t *testing.T) {
	for _, size := range []int{minSize, 256} {
		d := newEventData(size)
		issued := uint64(math.MaxUint64)
		tr := newTraffic(shape{channels: 1, subscribers: 1, connections: 1, batch: 1}, d, &issued, func() {})
		tr.until = math.MaxInt64
		c := &client{state: ready}
		f := newFleet(&Options{}, []*target{{}}, []*client{c}, tr, nil)
		const before = `{"event":"tick","channel":"load-0","data":"`
		payload := append(d.append([]byte(before), 0, 0), `"}`...)
		frame := appendServerFrame(nil, payload)
		stamp := len(frame) - len(payload) + len(before) + d.stampAt()
		number := uint64(0)
		allocations := testing.AllocsPerRun(1000, func() {
			d.put(frame[stamp:], now(), number)
			number++
			if used := f.received(c, frame, now()); used != len(frame) {
				t.Fatalf("%d of %d bytes used", used, len(frame))
			}
		})
		if allocations != 0 || tr.counts.deliveries != number || tr.latency.count() != int64(number) {
			t.Errorf("%d bytes: %v allocations, %+v of %d, %d timed", size, allocations, tr.counts, number, tr.latency.count())
		}
	}
}

func BenchmarkDelivery(b *testing.B) {
	d := newEventData(256)
	issued := uint64(math.MaxUint64)
	tr := newTraffic(shape{channels: 1, subscribers: 1, connections: 1, batch: 1}, d, &issued, func() {})
	tr.until = math.MaxInt64
	c := &client{state: ready}
	f := newFleet(&Options{}, []*target{{}}, []*client{c}, tr, nil)
	const before = `{"event":"tick","channel":"load-0","data":"`
	payload := append(d.append([]byte(before), 0, 0), `"}`...)
	frame := appendServerFrame(nil, payload)
	stamp := len(frame) - len(payload) + len(before) + d.stampAt()
	number := uint64(0)
	b.ReportAllocs()
	for b.Loop() {
		at := now()
		d.put(frame[stamp:], at, number)
		number++
		f.received(c, frame, at)
	}
}
