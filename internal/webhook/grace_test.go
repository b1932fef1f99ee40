package webhook

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

const delay = 3 * time.Second

// P-228: channel_vacated comes no earlier than the delay and no later than delay
// + 1 s. Its time_ms is taken after the delay.
func TestVacatedWaitsForTheDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r, GraceDelay: delay})
		left := time.Now()
		d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
		time.Sleep(delay + time.Second)
		synctest.Wait()
		got := r.requests()
		if len(got) != 1 || got[0].hook.Events[0].String() != "channel_vacated c" {
			t.Fatalf("got %+v, want channel_vacated", got)
		}
		if after := got[0].at.Sub(left); after < delay || after > delay+time.Second {
			t.Errorf("raised after %v, want %v to %v", after, delay, delay+time.Second)
		}
		if got := int64(got[0].hook.TimeMs); got != left.Add(delay).UnixMilli() {
			t.Errorf("time_ms %d, want %d", got, left.Add(delay).UnixMilli())
		}
	})
}

// Which edges come out of which, by when they happen.
func TestGrace(t *testing.T) {
	type step struct {
		at      time.Duration
		name    hub.NoticeName
		channel string
		user    string
	}
	for name, c := range map[string]struct {
		delay time.Duration
		steps []step
		want  []string
	}{
		// P-229
		"leaving and returning within the delay raises nothing": {
			delay,
			[]step{
				{0, hub.ChannelOccupied, "c", ""},
				{time.Second, hub.ChannelVacated, "c", ""},
				{3900 * time.Millisecond, hub.ChannelOccupied, "c", ""},
			},
			[]string{"channel_occupied c"},
		},
		// P-230
		"a user who leaves and returns within the delay raises nothing": {
			delay,
			[]step{
				{0, hub.MemberAdded, "presence-c", "u"},
				{time.Second, hub.MemberRemoved, "presence-c", "u"},
				{3900 * time.Millisecond, hub.MemberAdded, "presence-c", "u"},
			},
			[]string{"member_added presence-c u"},
		},
		"returning after the delay raises both": {
			delay,
			[]step{
				{0, hub.ChannelVacated, "c", ""},
				{3100 * time.Millisecond, hub.ChannelOccupied, "c", ""},
			},
			[]string{"channel_vacated c", "channel_occupied c"},
		},
		// P-232
		"member_removed precedes channel_vacated": {
			delay,
			[]step{
				{0, hub.MemberRemoved, "presence-c", "u"},
				{0, hub.ChannelVacated, "presence-c", ""},
			},
			[]string{"member_removed presence-c u", "channel_vacated presence-c"},
		},
		"channel_occupied precedes member_added": {
			delay,
			[]step{
				{0, hub.ChannelOccupied, "presence-c", ""},
				{0, hub.MemberAdded, "presence-c", "u"},
			},
			[]string{"channel_occupied presence-c", "member_added presence-c u"},
		},
		"another user does not cancel": {
			delay,
			[]step{
				{0, hub.MemberRemoved, "presence-c", "u"},
				{0, hub.ChannelVacated, "presence-c", ""},
				{time.Second, hub.ChannelOccupied, "presence-c", ""},
				{time.Second, hub.MemberAdded, "presence-c", "v"},
			},
			[]string{"member_added presence-c v", "member_removed presence-c u"},
		},
		"another channel does not cancel": {
			delay,
			[]step{
				{0, hub.ChannelVacated, "c", ""},
				{time.Second, hub.ChannelOccupied, "d", ""},
			},
			[]string{"channel_occupied d", "channel_vacated c"},
		},
		"each delay counts from its own edge": {
			delay,
			[]step{
				{0, hub.ChannelVacated, "c", ""},
				{2 * time.Second, hub.ChannelOccupied, "c", ""},
				{2500 * time.Millisecond, hub.ChannelVacated, "c", ""},
				{5400 * time.Millisecond, hub.ChannelOccupied, "c", ""},
				{5450 * time.Millisecond, hub.ChannelVacated, "c", ""},
			},
			[]string{"channel_vacated c"},
		},
		"other notices are not delayed": {
			delay,
			[]step{
				{0, hub.ChannelVacated, "cache-c", ""},
				{0, hub.CacheMissed, "cache-c", ""},
			},
			[]string{"cache_miss cache-c", "channel_vacated cache-c"},
		},
		"no delay, nothing is cancelled": {
			0,
			[]step{
				{0, hub.ChannelVacated, "c", ""},
				{0, hub.ChannelOccupied, "c", ""},
			},
			[]string{"channel_vacated c", "channel_occupied c"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{}
				app := newApp("1", hook())
				d := start(t, Options{Transport: r, GraceDelay: c.delay})
				began := time.Now()
				for _, s := range c.steps {
					time.Sleep(time.Until(began.Add(s.at)))
					d.Emit(edgeNotice(app, s.name, s.channel, s.user))
				}
				time.Sleep(c.delay + time.Second)
				synctest.Wait()
				wantEvents(t, r.events(), c.want...)
			})
		})
	}
}

func TestEdgesOfAppsDoNotCancelEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		one, two := newApp("1", hook()), newApp("2", hook())
		d := start(t, Options{Transport: r, GraceDelay: delay})
		d.Emit(edgeNotice(one, hub.ChannelVacated, "c", ""))
		d.Emit(edgeNotice(two, hub.ChannelOccupied, "c", ""))
		time.Sleep(delay + time.Second)
		synctest.Wait()
		wantEvents(t, r.events(), "channel_occupied c", "channel_vacated c")
	})
}

// An endpoint that selects only channel_occupied must not hear of a return
// either (§8.4).
func TestDelayCancelsForEndpointsThatSelectOneEdge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", apps.Endpoint{URL: hookURL, Events: []string{"channel_occupied"}})
		d := start(t, Options{Transport: r, GraceDelay: delay})
		for _, name := range []hub.NoticeName{hub.ChannelOccupied, hub.ChannelVacated, hub.ChannelOccupied} {
			d.Emit(edgeNotice(app, name, "c", ""))
		}
		time.Sleep(delay + time.Second)
		synctest.Wait()
		wantEvents(t, r.events(), "channel_occupied c")
	})
}

func TestTooManyHeldLetTheOldestGoEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", serialHook())
		d := start(t, Options{Transport: r, GraceDelay: delay, MaxHeld: 2})
		for i := range 5 {
			d.Emit(edgeNotice(app, hub.ChannelVacated, fmt.Sprint("c", i), ""))
		}
		synctest.Wait()
		wantEvents(t, r.events(), "channel_vacated c0", "channel_vacated c1", "channel_vacated c2")
		if cut, held := testutil.ToFloat64(d.metrics.delaysCut), testutil.ToFloat64(d.metrics.held); cut != 3 || held != 2 {
			t.Errorf("counted %v cut and %v held, want 3 and 2", cut, held)
		}
		time.Sleep(delay)
		synctest.Wait()
		wantEvents(t, r.events()[3:], "channel_vacated c3", "channel_vacated c4")
		if held := testutil.ToFloat64(d.metrics.held); held != 0 {
			t.Errorf("counted %v held, want 0", held)
		}
	})
}

func TestManyFallDueAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		e := serialHook()
		e.Batching = true
		app := newApp("1", e)
		d := start(t, Options{Transport: r, GraceDelay: delay})
		const n = 3*releaseChunk + 1
		for i := range n {
			d.Emit(edgeNotice(app, hub.ChannelVacated, fmt.Sprint("c", i), ""))
		}
		time.Sleep(delay + 2*time.Second)
		synctest.Wait()
		got := r.events()
		if len(got) != n {
			t.Fatalf("got %d events, want %d", len(got), n)
		}
		for i, e := range got {
			if e != fmt.Sprint("channel_vacated c", i) {
				t.Fatalf("event %d is %q", i, e)
			}
		}
	})
}

// Whatever the channels and users do, what leaves alternates strictly, begins
// with a rising edge and ends with the truth.
func TestEdgesAlternateAndConverge(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		h := drawHistory(rt)
		r := &receiver{}
		var closed error
		synctest.Test(t, func(t *testing.T) { closed = h.play(t, r) })
		if closed != nil {
			rt.Fatal(closed)
		}
		told := make(map[hub.Edge]bool)
		for _, req := range r.requests() {
			for _, e := range req.hook.Events {
				n := edgeNotice(h.app, hub.NoticeName(e.Name), e.Channel, e.UserID)
				if told[edgeOf(n)] == rises(n.Name) {
					rt.Fatalf("%s comes twice in a row", e)
				}
				told[edgeOf(n)] = rises(n.Name)
			}
		}
		for key, want := range h.on {
			if told[key] != want {
				rt.Fatalf("told that %+v is %v, but it is %v", key, told[key], want)
			}
		}
	})
}

// history is a sequence of edges of six things that go on and off.
type history struct {
	app     *apps.App
	maxHeld int
	pauses  []time.Duration
	notices []hub.Notice
	on      map[hub.Edge]bool // in the end
}

func drawHistory(rt *rapid.T) *history {
	endpoint := hook()
	endpoint.Batching = rapid.Bool().Draw(rt, "batching")
	h := &history{
		app:     newApp("1", endpoint),
		maxHeld: rapid.IntRange(1, 8).Draw(rt, "max held"),
		on:      make(map[hub.Edge]bool),
	}
	for range rapid.IntRange(0, 60).Draw(rt, "edges") {
		pause := rapid.IntRange(0, 4000).Draw(rt, "pause")
		h.pauses = append(h.pauses, time.Duration(pause)*time.Millisecond)
		h.notices = append(h.notices, h.drawEdge(rt))
	}
	return h
}

func (h *history) drawEdge(rt *rapid.T) hub.Notice {
	channel := rapid.SampledFrom([]string{"presence-a", "presence-b"}).Draw(rt, "channel")
	n := edgeNotice(h.app, hub.ChannelOccupied, channel, rapid.SampledFrom([]string{"", "u", "v"}).Draw(rt, "user"))
	if n.UserID != "" {
		n.Name = hub.MemberAdded
	}
	key := edgeOf(n)
	h.on[key] = !h.on[key]
	switch {
	case h.on[key]:
	case key.Member:
		n.Name = hub.MemberRemoved
	default:
		n.Name = hub.ChannelVacated
	}
	return n
}

func (h *history) play(t *testing.T, r *receiver) error {
	t.Helper()
	d := start(t, Options{Transport: r, GraceDelay: delay, MaxHeld: h.maxHeld})
	for i, n := range h.notices {
		time.Sleep(h.pauses[i])
		d.Emit(n)
	}
	return d.Close(t.Context())
}
