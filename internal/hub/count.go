package hub

import (
	"container/heap"
	"context"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Above countAtOnce subscribers a channel tells its count at most once per
// countInterval (§3.9).
const (
	countAtOnce   = 100
	countInterval = 5 * time.Second
)

// countChangedLocked tells the new number of subscriptions, now or when the
// channel's interval is over.
func (c *channel) countChangedLocked(app *apps.App) {
	if !c.countsSubscriptions(app) {
		return
	}
	now := time.Now()
	next := c.countSent.Add(countInterval)
	if c.subscriptionsLocked() <= countAtOnce || !now.Before(next) {
		c.tellCountLocked(now)
		return
	}
	c.countUntold = true
	if !c.countDue {
		c.scheduleCountLocked(next)
	}
}

func (c *channel) scheduleCountLocked(at time.Time) {
	c.countDue = true
	c.tenant.hub.counts.add(c, at)
}

func (c *channel) tellCountLocked(now time.Time) {
	c.countSent, c.countUntold = now, false
	n := c.subscriptionsLocked()
	c.appendLocked(protocol.SubscriptionCount(c.name, n), nil)
	c.emitLocked(Notice{Name: SubscriptionCount, Count: n})
}

// tellDueCount sends the count that was held back. A change that took the number
// below the limit and was told at once may have come in between: what followed
// it waits for an interval of its own.
func (c *channel) tellDueCount(now time.Time) {
	c.shard.mu.Lock()
	defer c.unlockAndDeliver(nil)
	c.countDue = false
	if c.countUntold && c.countsSubscriptions(c.tenant.app.Load()) {
		if next := c.countSent.Add(countInterval); now.Before(next) {
			c.scheduleCountLocked(next)
			return
		}
		c.tellCountLocked(now)
	}
	c.dropIfIdleLocked()
}

// countSchedule holds the channels whose count is due later: at most one entry
// for each channel, so it is bounded by the channels with over a hundred
// subscribers.
type countSchedule struct {
	added chan struct{} // capacity 1, never closed

	mu  sync.Mutex
	due countHeap
}

func newCountSchedule() *countSchedule {
	return &countSchedule{added: make(chan struct{}, 1)}
}

func (s *countSchedule) add(c *channel, at time.Time) {
	s.mu.Lock()
	heap.Push(&s.due, dueCount{c, at})
	s.mu.Unlock()
	select {
	case s.added <- struct{}{}:
	default: // a wake-up is waiting already
	}
}

// run tells due counts until ctx ends.
func (s *countSchedule) run(ctx context.Context) {
	timer := time.NewTimer(countInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.added:
		case <-timer.C:
		}
		timer.Reset(s.tellDue(time.Now()))
	}
}

// tellDue tells every count that is due and returns how long until the next.
func (s *countSchedule) tellDue(now time.Time) time.Duration {
	for {
		s.mu.Lock()
		if len(s.due) == 0 {
			s.mu.Unlock()
			return countInterval
		}
		if wait := s.due[0].at.Sub(now); wait > 0 {
			s.mu.Unlock()
			return wait
		}
		next := heap.Pop(&s.due).(dueCount)
		s.mu.Unlock()
		next.channel.tellDueCount(now)
	}
}

type dueCount struct {
	channel *channel
	at      time.Time
}

// countHeap implements heap.Interface, earliest first.
type countHeap []dueCount

func (h countHeap) Len() int           { return len(h) }
func (h countHeap) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h countHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *countHeap) Push(x any)        { *h = append(*h, x.(dueCount)) }
func (h *countHeap) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = dueCount{}
	*h = old[:len(old)-1]
	return last
}
