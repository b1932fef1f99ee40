package webhook

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// tellings keeps what OnTold was called with, in order.
type tellings struct {
	mu  sync.Mutex
	all []string

	elsewhere bool // falls are told by others
}

func (s *tellings) add(e hub.Edge, on bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := "off"
	if on {
		state = "on"
	}
	s.all = append(s.all, fmt.Sprint(e.Channel, e.UserID, " ", state))
	return on || !s.elsewhere
}

func (s *tellings) want(t *testing.T, want ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if fmt.Sprint(s.all) != fmt.Sprint(want) {
		t.Errorf("told\n got %q\nwant %q", s.all, want)
	}
}

func TestOnTold(t *testing.T) {
	occupied := apps.Endpoint{URL: hookURL, Events: []string{"channel_occupied"}, ChannelPrefix: "wanted"}
	for name, c := range map[string]struct {
		delay    time.Duration
		endpoint apps.Endpoint
		play     func(t *testing.T, app *apps.App, d *Dispatcher)
		want     []string
	}{
		"edges are told when they leave the delay": {
			delay, hook(),
			func(t *testing.T, app *apps.App, d *Dispatcher) {
				t.Helper()
				d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
				d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
				d.Emit(edgeNotice(app, hub.ChannelOccupied, "d", ""))
				time.Sleep(delay + time.Second)
			},
			[]string{"c on", "d on", "c off"},
		},
		"what cancels itself is not told": {
			delay, hook(),
			func(t *testing.T, app *apps.App, d *Dispatcher) {
				t.Helper()
				d.Emit(edgeNotice(app, hub.MemberAdded, "presence-c", "u"))
				d.Emit(edgeNotice(app, hub.MemberRemoved, "presence-c", "u"))
				d.Emit(edgeNotice(app, hub.MemberAdded, "presence-c", "u"))
				time.Sleep(delay + time.Second)
			},
			[]string{"presence-cu on"},
		},
		"without a delay": {
			0, hook(),
			func(t *testing.T, app *apps.App, d *Dispatcher) {
				t.Helper()
				d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
				d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
			},
			[]string{"c on", "c off"},
		},
		"edges of which somebody selects one half": {
			0, occupied,
			func(t *testing.T, app *apps.App, d *Dispatcher) {
				t.Helper()
				for _, channel := range []string{"wanted", "other"} {
					d.Emit(edgeNotice(app, hub.ChannelOccupied, channel, ""))
					d.Emit(edgeNotice(app, hub.ChannelVacated, channel, ""))
				}
			},
			[]string{"wanted on", "wanted off"},
		},
		"other notices are no edges": {
			0, hook(),
			func(t *testing.T, app *apps.App, d *Dispatcher) {
				t.Helper()
				d.Emit(edgeNotice(app, hub.CacheMissed, "cache-c", ""))
				d.Emit(clientEvent(app, "private-c", 1))
			},
			nil,
		},
		"a stop lets go what is held": {
			delay, hook(),
			func(t *testing.T, app *apps.App, d *Dispatcher) {
				t.Helper()
				d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
				d.Emit(edgeNotice(app, hub.ChannelVacated, "d", ""))
				if err := d.Close(t.Context()); err != nil {
					t.Error(err)
				}
			},
			[]string{"c off", "d off"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				told := &tellings{}
				d := start(t, Options{Transport: &receiver{}, GraceDelay: c.delay, OnTold: told.add})
				c.play(t, newApp("1", c.endpoint), d)
				synctest.Wait()
				told.want(t, c.want...)
			})
		})
	}
}

// The order of the calls is that of what receivers are told, also while the delay
// lets falling edges go: whoever keeps the last call of an edge keeps the truth.
func TestOnToldIsCalledUnderTheLockOfTheDelay(t *testing.T) {
	for _, delay := range []time.Duration{0, delay} {
		t.Run(delay.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d *Dispatcher
				var unlocked int
				d = start(t, Options{Transport: &receiver{}, GraceDelay: delay, OnTold: func(hub.Edge, bool) bool {
					if d.grace.mu.TryLock() {
						unlocked++
						d.grace.mu.Unlock()
					}
					return true
				}})
				app := newApp("1", hook())
				d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
				d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
				time.Sleep(delay + time.Second)
				d.Emit(edgeNotice(app, hub.ChannelVacated, "d", ""))
				if err := d.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if unlocked != 0 {
					t.Errorf("%d calls without the lock", unlocked)
				}
			})
		})
	}
}

func TestFallsThatAreToldElsewhereAreDropped(t *testing.T) {
	for _, delay := range []time.Duration{0, delay} {
		t.Run(delay.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, told := &receiver{}, &tellings{elsewhere: true}
				d := start(t, Options{Transport: r, GraceDelay: delay, OnTold: told.add})
				app := newApp("1", serialHook())
				d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
				d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
				time.Sleep(delay + time.Second)
				d.Emit(edgeNotice(app, hub.ChannelVacated, "held", ""))
				if err := d.Close(t.Context()); err != nil {
					t.Error(err)
				}
				told.want(t, "c on", "c off", "held off")
				if got, want := fmt.Sprint(r.events()), "[channel_occupied c]"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			})
		})
	}
}

func TestWithdraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, told := &receiver{}, &tellings{}
		d := start(t, Options{Transport: r, GraceDelay: delay, OnTold: told.add})
		app := newApp("1", serialHook())
		for _, channel := range []string{"stays", "moves", "returns"} {
			d.Emit(edgeNotice(app, hub.ChannelOccupied, channel, ""))
			d.Emit(edgeNotice(app, hub.ChannelVacated, channel, ""))
		}
		d.Withdraw(func(e hub.Edge) bool { return e.Channel != "stays" })
		if held := testutil.ToFloat64(d.metrics.held); held != 1 {
			t.Errorf("%v are held, want 1", held)
		}
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "returns", "")) // nothing is left that it could cancel
		time.Sleep(delay + time.Second)
		synctest.Wait()
		wantEvents(t, r.events(), "channel_occupied stays", "channel_occupied moves", "channel_occupied returns",
			"channel_occupied returns", "channel_vacated stays")
		told.want(t, "stays on", "moves on", "returns on", "returns on", "stays off")
	})
}

// More than one step's worth is held, while edges come and go.
func TestWithdrawOfManyBesideEdges(t *testing.T) {
	const n = 20 * releaseChunk
	app := newApp("1", hook())
	d := start(t, Options{Transport: &receiver{}, GraceDelay: time.Hour})
	fall := func(i int) { d.Emit(edgeNotice(app, hub.ChannelVacated, fmt.Sprint("c", i), "")) }
	for i := range n {
		fall(i)
	}
	var beside sync.WaitGroup
	beside.Go(func() {
		for i := range n {
			if i%3 == 0 {
				d.Emit(edgeNotice(app, hub.ChannelOccupied, fmt.Sprint("c", i), ""))
				fall(n + i)
			}
		}
	})
	var asked int
	d.Withdraw(func(e hub.Edge) bool {
		asked++
		return e.Channel[len(e.Channel)-1]%2 == 0
	})
	beside.Wait()
	for i := range n {
		held := d.grace.held[edgeOf(edgeNotice(app, hub.ChannelVacated, fmt.Sprint("c", i), ""))] != nil
		if want := i%3 != 0 && i%2 != 0; held != want {
			t.Fatalf("c%d is held: %v, want %v", i, held, want)
		}
	}
	if asked < n*2/3 || asked > 2*n {
		t.Errorf("asked for %d edges", asked)
	}
}

func TestWithoutAJournalNothingIsRestoredOrForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		d := start(t, Options{Transport: r, GraceDelay: delay})
		d.RestoreEdges()
		d.ForgetTold(hub.Edge{App: "1", Channel: "c"})
		d.ForgetAllTold()
		d.Emit(edgeNotice(newApp("1", hook()), hub.ChannelOccupied, "c", ""))
		synctest.Wait()
		wantEvents(t, r.events(), "channel_occupied c")
	})
}
