package cluster

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/broker/memory"
)

// The worker's goroutine takes what is too much for the engine's, or what comes before
// the engine is known to rest; order is kept whoever works.
func TestInbox(t *testing.T) {
	tests := []struct {
		name   string
		rests  bool // it has rested before
		few    bool
		worker bool // whether the goroutine is woken
	}{
		{"an engine that has not rested yet", false, true, true},
		{"few messages, until the engine rests", true, true, false},
		{"many messages", true, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := newInbox()
			if tt.rests {
				i.rest(nil)
			}
			count := fewMessages
			if !tt.few {
				count++
			}
			for range count {
				i.receive([]byte("x"))
			}
			if woken := len(i.wake) > 0; woken != tt.worker {
				t.Errorf("the worker is woken: %v, want %v", woken, tt.worker)
			}
		})
	}
	t.Run("what is not a message wakes the worker", func(t *testing.T) {
		i := newInbox()
		i.rest(nil)
		i.receive([]byte("x"))
		i.do(func(*worker) {})
		if len(i.wake) == 0 {
			t.Error("it was not woken")
		}
	})
	t.Run("one works at a time, and looks again", func(t *testing.T) {
		i := newInbox()
		i.rest(nil)
		i.receive([]byte("1"))
		items, ok := i.claim()
		if !ok || len(items) != 1 {
			t.Fatalf("claimed %v, %d items", ok, len(items))
		}
		if _, again := i.claim(); again {
			t.Error("it was claimed twice")
		}
		i.receive([]byte("2"))
		i.rest(nil) // would work with nobody if it were not claimed
		i.done(items, false)
		if len(i.wake) == 0 {
			t.Error("the worker is not woken for what has come meanwhile")
		}
		if items, ok := i.claim(); !ok || len(items) != 1 || string(items[0].message) != "2" {
			t.Errorf("claimed %v, %d items", ok, len(items))
		}
	})
	t.Run("what is parked is looked at", func(t *testing.T) {
		i := newInbox()
		items, _ := i.claim()
		i.done(items, true)
		if len(i.wake) == 0 || !i.hasParked() {
			t.Error("the worker does not know")
		}
	})
}

func TestEventsArriveWhoeverWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		nodes[1].join("c")
		n.settle()
		const count = 5 * fewMessages
		var want []string
		for i := range count {
			want = append(want, fmt.Sprintf("c %d", i))
			nodes[0].publish("c", fmt.Sprint(i))
			if i%(2*fewMessages) < fewMessages {
				synctest.Wait() // one by one, then many at once
			}
		}
		n.settle()
		if got := nodes[1].took(); !slices.Equal(got, want) {
			t.Errorf("got %v\nwant %v", got, want)
		}
	})
}
