package bench

import "bytes"

// eventData is the data of a run's events, all of the same size. Data too small
// for a time carries the number only:
//
//	benchNNNNNNNNNNNxxx…
//
// and the time is looked up when it arrives, which needs sender and receiver in
// one process. Touched only inside the engine.
type eventData struct {
	pad   []byte
	times *sendTimes // nil where the data holds the time
}

// compactDigits are those of a number without a time.
const compactDigits = 11

// newEventData returns data of at least minSize bytes.
func newEventData(size int) eventData {
	if size < dataOverhead {
		return eventData{pad: padding(size - len(stampMark) - compactDigits), times: newSendTimes()}
	}
	return eventData{pad: padding(size - dataOverhead)}
}

// padding is n bytes that stand for nothing.
func padding(n int) []byte { return bytes.Repeat([]byte("x"), n) }

// append appends the data of an event, without the quotes of the JSON string it
// stands in.
func (d eventData) append(b []byte, sent int64, number uint64) []byte {
	at := len(b) + d.stampAt()
	if d.times != nil {
		b = append(b, stampMark+"00000000000"...)
	} else {
		b = append(b, dataBefore...)
		b = append(b, make([]byte, stampLen)...)
		b = append(b, dataBetween...)
	}
	b = append(b, d.pad...)
	if d.times == nil {
		b = append(b, dataAfter...)
	}
	d.put(b[at:], sent, number)
	return b
}

// stampAt is where the stamp begins in what append appends.
func (d eventData) stampAt() int {
	if d.times != nil {
		return len(stampMark)
	}
	return len(dataBefore)
}

func (d eventData) stampLen() int {
	if d.times != nil {
		return compactDigits
	}
	return stampLen
}

// put writes the stamp over the beginning of b.
func (d eventData) put(b []byte, sent int64, number uint64) {
	if d.times == nil {
		putStamp(b, sent, number)
		return
	}
	d.times.put(number, sent)
	putDigits(b[:compactDigits], number)
}

// finder returns what finds the stamps that put writes.
func (d eventData) finder() stampFinder { return stampFinder{times: d.times} }

// sendTimes remembers when the latest events were sent.
type sendTimes struct {
	numbers []uint64 // plus one; 0 for none
	times   []int64
}

// sendTimeSlots is more than a closed loop can have in flight: maxInFlight
// requests of maxBatch events.
const sendTimeSlots = 1 << 17

func newSendTimes() *sendTimes {
	return &sendTimes{numbers: make([]uint64, sendTimeSlots), times: make([]int64, sendTimeSlots)}
}

func (s *sendTimes) put(number uint64, sent int64) {
	slot := number % sendTimeSlots
	s.numbers[slot], s.times[slot] = number+1, sent
}

// get returns 0, which is before every measurement, for a time that is not known.
func (s *sendTimes) get(number uint64) int64 {
	if slot := number % sendTimeSlots; s.numbers[slot] == number+1 {
		return s.times[slot]
	}
	return 0
}
