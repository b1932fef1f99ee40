package cluster

import (
	"github.com/pipesocket/pipesocketd/internal/broker"
)

// control is a message between two nodes that has no place among the rest: it
// goes out first, so that a long queue does not make this node look dead. With a
// request it is an answer that the writer has to make, part by part.
type control struct {
	to      broker.NodeID // 0: all
	message []byte
	answer  *job
}

// beatWish says whether a beat is to go out.
type beatWish uint8

const (
	noBeat beatWish = iota
	plainBeat
	helloBeat // and everybody is to answer it
)

func (q *queue) control(c control) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.controls.len() >= maxControls {
		q.dropped(dropControls, 1)
		return
	}
	q.controls.push(c)
	q.signalLocked()
}

func (q *queue) wishBeat(w beatWish) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.beat = max(q.beat, w)
	q.signalLocked()
}
