package webhook

import (
	"container/heap"
	"time"
)

// Schedule decides which of an endpoint's payloads may be attempted, and in
// which order. A payload is held back while an earlier one shares a channel with
// it; payloads of other channels go on. A [Queue] keeps in a Schedule all of its
// payloads, or the oldest of them. The zero value is empty. It is not safe for
// concurrent use.
type Schedule struct {
	oldest, newest *Payload         // all, by age
	ends           map[uint64]*link // by channel: the newest payload that has it
	most           int              // channels in ends at once, since it was made
	fresh, retries payloadHeap      // those that nothing holds back
	age            uint64
	waiting        Backlog // its counts only
}

// place is where a payload stands in a Schedule.
type place struct {
	older, newer *Payload
	age          uint64
	state        placeState
	at           int    // index in a heap
	links        []link // one per channel
	behind       int    // links that have a predecessor
}

type placeState uint8

const (
	outside placeState = iota
	held
	fresh
	forRetry
	handedOut
)

// link stands for one channel of a payload among the payloads that have it.
type link struct {
	payload    *Payload // nil: the payload names the channel twice
	prev, next *link
}

// shrinkFrom is the size from which a map of channels is given back once the
// schedule is empty.
const shrinkFrom = 4096

// Add takes a payload that is younger than all others. One with failures, of an
// earlier process, will be handed out as a retry when its Due has come.
func (s *Schedule) Add(p *Payload) {
	s.age++
	p.place = place{older: s.newest, age: s.age, state: held}
	if s.newest == nil {
		s.oldest = p
	} else {
		s.newest.place.newer = p
	}
	s.newest = p
	s.count(p, 1)
	s.chain(p)
	if p.place.behind == 0 {
		s.ready(p)
	}
}

// Pop hands out a payload that is not held back: one whose Due has come if turn
// has TurnRetry, else the oldest never handed out if turn has TurnFirst, else
// nil.
func (s *Schedule) Pop(now time.Time, turn Turn) *Payload {
	var p *Payload
	switch {
	case turn&TurnRetry != 0 && len(s.retries) > 0 && !s.retries[0].Due.After(now):
		p = s.retries[0]
	case turn&TurnFirst != 0 && len(s.fresh) > 0:
		p = s.fresh[0]
	default:
		return nil
	}
	s.handOut(p)
	return p
}

// PopExpired hands out the oldest waiting payload, be it held back or not due,
// if it was sealed before the given time.
func (s *Schedule) PopExpired(before time.Time) *Payload {
	p := s.Oldest()
	if p == nil || p.age(before) <= 0 {
		return nil
	}
	s.handOut(p)
	return p
}

// Oldest returns the oldest payload that is not handed out, nil if there is none.
func (s *Schedule) Oldest() *Payload {
	p := s.oldest
	for p != nil && p.place.state == handedOut { // a lane bounds how many are
		p = p.place.newer
	}
	return p
}

// Return takes back a payload that was handed out, as a retry from its Due on.
// It goes on holding back later ones.
func (s *Schedule) Return(p *Payload) {
	s.count(p, 1)
	if p.place.behind > 0 { // it was handed out by PopExpired
		p.place.state = held
		return
	}
	p.place.state = forRetry
	heap.Push(&s.retries, p)
}

// Remove forgets a payload, handed out or not. What only it held back may be
// handed out from now on.
func (s *Schedule) Remove(p *Payload) {
	if p.place.state != handedOut {
		s.takeOut(p)
	}
	if p.place.older == nil {
		s.oldest = p.place.newer
	} else {
		p.place.older.place.newer = p.place.newer
	}
	if p.place.newer == nil {
		s.newest = p.place.older
	} else {
		p.place.newer.place.older = p.place.older
	}
	s.unchain(p)
	p.place = place{}
}

// Holds reports whether the payload is in the schedule, handed out or not.
func (s *Schedule) Holds(p *Payload) bool { return p.place.state != outside }

// Waiting tells what there is to hand out.
func (s *Schedule) Waiting() Backlog {
	b := s.waiting
	b.First = len(s.fresh) > 0
	if len(s.retries) > 0 {
		b.Retry = s.retries[0].Due
	}
	if p := s.Oldest(); p != nil {
		b.Oldest = time.UnixMilli(p.TimeMS)
	}
	return b
}

func (s *Schedule) handOut(p *Payload) {
	s.takeOut(p)
	p.place.state = handedOut
}

// takeOut ends a payload's waiting; it stays in the list and holds back others.
func (s *Schedule) takeOut(p *Payload) {
	switch p.place.state {
	case fresh:
		heap.Remove(&s.fresh, p.place.at)
	case forRetry:
		heap.Remove(&s.retries, p.place.at)
	case held, handedOut, outside: // in no heap
	}
	s.count(p, -1)
}

// ready is called when nothing holds a payload back any more.
func (s *Schedule) ready(p *Payload) {
	if p.Failures > 0 {
		p.place.state = forRetry
		heap.Push(&s.retries, p)
		return
	}
	p.place.state = fresh
	heap.Push(&s.fresh, p)
}

func (s *Schedule) count(p *Payload, sign int) {
	s.waiting.Payloads += sign
	s.waiting.Events += sign * p.Events
	s.waiting.Bytes += sign * len(p.Body)
}

// chain puts a payload behind those that share a channel with it.
func (s *Schedule) chain(p *Payload) {
	if s.ends == nil {
		s.ends = make(map[uint64]*link)
	}
	p.place.links = make([]link, len(p.Channels))
	for i, channel := range p.Channels {
		prev := s.ends[channel]
		if prev != nil && prev.payload == p {
			continue
		}
		l := &p.place.links[i]
		*l = link{payload: p, prev: prev}
		if prev != nil {
			prev.next = l
			p.place.behind++
		}
		s.ends[channel] = l
	}
	s.most = max(s.most, len(s.ends))
}

// unchain closes the gap that a payload leaves. Those behind one that was itself
// held back are then behind what held it back.
func (s *Schedule) unchain(p *Payload) {
	for i := range p.place.links {
		if l := &p.place.links[i]; l.payload != nil {
			s.cut(l, p.Channels[i])
		}
	}
	if s.oldest == nil && s.most >= shrinkFrom {
		s.ends, s.most = nil, 0
	}
}

func (s *Schedule) cut(l *link, channel uint64) {
	if l.prev != nil {
		l.prev.next = l.next
	}
	switch {
	case l.next != nil:
		l.next.prev = l.prev
		if l.prev == nil {
			s.advance(l.next.payload)
		}
	case l.prev != nil:
		s.ends[channel] = l.prev
	default:
		delete(s.ends, channel)
	}
}

// advance is called when a payload has become the first of one of its channels.
func (s *Schedule) advance(p *Payload) {
	p.place.behind--
	if p.place.behind == 0 && p.place.state == held {
		s.ready(p)
	}
}

// payloadHeap implements heap.Interface: earliest Due first, and of the same Due,
// which all have that were never attempted, the oldest.
type payloadHeap []*Payload

func (h payloadHeap) Len() int { return len(h) }

func (h payloadHeap) Less(i, j int) bool {
	if h[i].Due.Equal(h[j].Due) {
		return h[i].place.age < h[j].place.age
	}
	return h[i].Due.Before(h[j].Due)
}

func (h payloadHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place.at, h[j].place.at = i, j
}

func (h *payloadHeap) Push(x any) {
	p := x.(*Payload)
	p.place.at = len(*h)
	*h = append(*h, p)
}

func (h *payloadHeap) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return p
}
