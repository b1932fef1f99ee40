package webhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Bounds of a batch by default (§8.5).
const (
	batchWindow = time.Second
	batchEvents = 50
	batchBytes  = 256 << 10
)

func batching() apps.Endpoint { return apps.Endpoint{URL: hookURL, Batching: true} }

// sizes returns how many events each request had.
func (r *receiver) sizes() []int {
	var n []int
	for _, req := range r.requests() {
		n = append(n, len(req.hook.Events))
	}
	return n
}

// P-237: without batching each request has exactly one event.
func TestWithoutBatchingOneEventPerRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r})
		for i := range 3 {
			d.Emit(clientEvent(app, "private-c", i))
		}
		synctest.Wait()
		if got := r.sizes(); !slices.Equal(got, []int{1, 1, 1}) {
			t.Errorf("requests had %v events, want 1 each", got)
		}
	})
}

// P-238: with batching, the events of one second arrive in one request, in order
// of occurrence. time_ms is taken when the batch is sealed.
func TestBatchOfOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", batching())
		d := start(t, Options{Transport: r})
		began := time.Now()
		for i := range 4 {
			d.Emit(clientEvent(app, "private-c", i))
			time.Sleep(300 * time.Millisecond)
		}
		synctest.Wait()
		wantEvents(t, r.events(), "client_event private-c 0", "client_event private-c 1",
			"client_event private-c 2", "client_event private-c 3")
		if got := r.requests(); len(got) != 1 || int64(got[0].hook.TimeMs) != began.Add(batchWindow).UnixMilli() {
			t.Errorf("got %+v, want one request sealed after %v", got, batchWindow)
		}
		d.Emit(clientEvent(app, "private-c", 4)) // the next batch begins with its own first event
		time.Sleep(batchWindow - time.Millisecond)
		if got := r.sizes(); len(got) != 1 {
			t.Errorf("sealed before its second was over: %v", got)
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if got := r.sizes(); !slices.Equal(got, []int{4, 1}) {
			t.Errorf("requests had %v events, want 4 and 1", got)
		}
	})
}

func TestBatchOf50Events(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", batching())
		d := start(t, Options{Transport: r})
		for i := range 2*batchEvents + 1 {
			d.Emit(clientEvent(app, "private-c", i))
		}
		synctest.Wait()
		if got := r.sizes(); !slices.Equal(got, []int{50, 50}) {
			t.Errorf("requests had %v events before the window ended, want two of 50", got)
		}
		time.Sleep(batchWindow)
		synctest.Wait()
		if got := r.sizes(); !slices.Equal(got, []int{50, 50, 1}) {
			t.Errorf("requests had %v events, want 50, 50, 1", got)
		}
	})
}

func TestBatchOf256KiB(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", batching())
		d := start(t, Options{Transport: r})
		n := clientEvent(app, "private-c", 0)
		n.Data = protocol.PayloadOfText(strings.Repeat("x", 60<<10))
		for range 9 {
			d.Emit(n)
		}
		n.Data = protocol.PayloadOfText(strings.Repeat("x", 300<<10)) // alone beyond the bound
		d.Emit(n)
		time.Sleep(batchWindow)
		synctest.Wait()
		if got := r.sizes(); !slices.Equal(got, []int{4, 4, 1, 1}) {
			t.Errorf("requests had %v events, want 4, 4, 1, 1", got)
		}
		for _, req := range r.requests()[:3] {
			if len(req.body) > batchBytes {
				t.Errorf("a body has %d bytes, want at most %d", len(req.body), batchBytes)
			}
		}
	})
}

// A batch is filled exactly to its bound, not beyond.
func TestBatchFits(t *testing.T) {
	var b batch
	now := time.Now()
	b.add(event{json: make([]byte, batchBytes-envelope-10), batching: true}, now, batchWindow)
	if !b.fits(event{json: make([]byte, 9), batching: true}, batchBytes) {
		t.Error("a comma and 9 bytes do not fit into 10")
	}
	if b.fits(event{json: make([]byte, 10), batching: true}, batchBytes) {
		t.Error("a comma and 10 bytes fit into 10")
	}
	if b.fits(event{json: make([]byte, 1)}, batchBytes) {
		t.Error("an event without batching joins a batch")
	}
}

// Endpoints of different apps have batches of their own, also at the same URL;
// so have two endpoints of one app.
func TestBatchesDoNotMix(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		second := batching()
		second.ChannelPrefix = "private-b"
		one, two := newApp("1", batching(), second), newApp("2", batching())
		two.Keys[0].Key = "two"
		d := start(t, Options{Transport: r})
		for i := range 3 {
			d.Emit(clientEvent(one, "private-a", i))
			d.Emit(clientEvent(one, "private-b", i))
			d.Emit(clientEvent(two, "private-c", i))
		}
		time.Sleep(batchWindow)
		synctest.Wait()
		got := make(map[string]int)
		for _, req := range r.requests() {
			channels := make(map[string]int)
			for _, e := range req.hook.Events {
				channels[e.Channel]++
			}
			got[fmt.Sprint(req.header.Get("X-Pusher-Key"), channels)]++
		}
		want := map[string]int{
			testKey + "map[private-a:3 private-b:3]": 1,
			testKey + "map[private-b:3]":             1,
			"twomap[private-c:3]":                    1,
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// Turning batching off by new settings seals what was collected, in order.
func TestBatchingTurnedOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		before, after := newApp("1", batching()), newApp("1", serialHook())
		registry := registryOf(t, before)
		d := start(t, Options{Transport: r, Registry: registry})
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "a", ""))
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "b", ""))
		if err := registry.Replace(after); err != nil {
			t.Fatal(err)
		}
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "c", ""))
		synctest.Wait()
		if got := r.sizes(); !slices.Equal(got, []int{2, 1}) {
			t.Errorf("requests had %v events, want 2 and 1", got)
		}
		wantEvents(t, r.events(), "channel_occupied a", "channel_occupied b", "channel_occupied c")
	})
}
