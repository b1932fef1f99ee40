package cluster

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// batch is what the engine is given at once: first what was taken from the queue,
// then the commands that were made of it. It is kept until the engine has taken
// it, so that after a failure the same messages go out again: receivers know
// those by their numbers that they have already.
type batch struct {
	// Filled by queue.take.
	link      uint64
	order     []taking
	events    []queuedEvent
	shares    []hub.ShareKey
	edges     []hub.Edge
	interests []interestChange
	barriers  []*round
	views     []outlook
	controls  []control
	beat      beatWish
	silent    bool // no beats
	closes    bool // tell what is closed
	loss      *broker.Loss
	items     int
	bytes     int
	position  uint64 // of the queue's items, how many were taken with this batch
	drained   bool   // all of them

	// Made by the writer.
	commands []broker.Command
	fates    []fate // in step with commands
	counted  int    // beats in it
	marker   uint64 // the number of the marker in it, 0 for none
	scratch  []byte // messages that are needed no longer than the batch
	failures int
}

// taking is a stretch of a batch with items of one kind.
type taking struct {
	kind itemKind
	n    int
}

// fate says what becomes of a command when the link has gone down before it was
// confirmed.
type fate struct {
	kind fateKind
	at   time.Duration // of an event, when it was queued
}

type fateKind uint8

const (
	sentAgain      fateKind = iota // whatever its age
	sentWhileFresh                 // an event
	forgotten                      // of use on its own link only
)

func (b *batch) room() bool { return b.items < batchItems && b.bytes < batchBytes }

// fresh reports whether anything was taken.
func (b *batch) fresh() bool {
	return b.items > 0 || len(b.controls) > 0 || b.beat != noBeat || b.loss != nil || b.closes
}

func (b *batch) command(c broker.Command, f fate) {
	b.commands = append(b.commands, c)
	b.fates = append(b.fates, f)
}

// message adds a message that was appended to scratch from start.
func (b *batch) message(to broker.Subject, start int, f fateKind) {
	b.command(broker.Command{Op: broker.Publish, Subject: to, Message: b.scratch[start:len(b.scratch):len(b.scratch)]}, fate{kind: f})
}

// reset makes the batch empty and keeps its memory, unless it has become much.
func (b *batch) reset() {
	clear(b.events)
	clear(b.shares)
	clear(b.edges)
	clear(b.interests)
	clear(b.barriers)
	clear(b.controls)
	clear(b.views)
	clear(b.commands)
	*b = batch{
		order: b.order[:0], events: b.events[:0], shares: b.shares[:0], edges: b.edges[:0],
		interests: b.interests[:0], barriers: b.barriers[:0], controls: b.controls[:0], views: b.views[:0],
		commands: b.commands[:0], fates: b.fates[:0], scratch: b.scratch[:0],
	}
	if cap(b.scratch) > 1<<20 {
		b.scratch = nil
	}
}

// onAnotherLink leaves what is still worth sending. It returns how many events are
// too old.
func (b *batch) onAnotherLink(link uint64, now, maxAge time.Duration) (expired int) {
	commands, fates := b.commands[:0], b.fates[:0]
	for i, f := range b.fates {
		switch {
		case f.kind == forgotten:
			continue
		case f.kind == sentWhileFresh && now-f.at > maxAge:
			expired++
			continue
		}
		commands, fates = append(commands, b.commands[i]), append(fates, f)
	}
	clear(b.commands[len(commands):])
	b.commands, b.fates = commands, fates
	b.link, b.counted, b.marker, b.failures = link, 0, 0, 0
	b.barriers = b.barriers[:0] // nobody waits any more
	b.drained = false
	return expired
}
