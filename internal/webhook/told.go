package webhook

import (
	"cmp"
	"slices"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// RestoreEdges takes everything that earlier processes have told to be on as
// going off now: all connections have ended. Those that return within the delay
// cancel that, so that edges alternate over restarts too. Members leave before
// their channels (§8.4). [Options.OnTold] hears of what was on as if it came on
// now.
//
// It does nothing without a journal. To be called once at most, before the first
// Emit of an edge, and not if other nodes go on with what the earlier processes
// have told: then ForgetAllTold is.
func (d *Dispatcher) RestoreEdges() {
	if d.options.Journal == nil {
		return
	}
	told := d.options.Journal.Told()
	slices.SortStableFunc(told, func(a, b hub.Edge) int { return cmp.Compare(rank(a), rank(b)) })
	for _, e := range told {
		n := fallOf(e, d.appOf(e.App))
		if !d.routesOf(n.App).want(n) {
			d.forward(n) // nobody wants to know any more
			continue
		}
		if d.grace.restore(n) {
			d.signal()
		}
	}
}

// Withdraw drops the falling edges that are held back and for which moved returns
// true: another node will tell of them. They stay told to be on. moved is called
// under the lock of the delay; it must not block, nor call the dispatcher.
func (d *Dispatcher) Withdraw(moved func(hub.Edge) bool) { d.grace.withdraw(moved) }

// ForgetTold makes the journal take an edge as off: another node has told of it.
func (d *Dispatcher) ForgetTold(e hub.Edge) {
	if d.options.Journal != nil {
		d.options.Journal.Forget(e)
	}
}

// ForgetAllTold makes the journal take everything as off that was told to be on by
// now: other nodes know what is.
func (d *Dispatcher) ForgetAllTold() {
	if d.options.Journal != nil {
		d.options.Journal.ForgetAll()
	}
}

func rank(e hub.Edge) int {
	if e.Member {
		return 0
	}
	return 1
}

// appOf returns an app by its id; one without endpoints if it is no longer there.
func (d *Dispatcher) appOf(id apps.ID) *apps.App {
	if d.options.Registry != nil {
		if app := d.options.Registry.ByID(id); app != nil {
			return app
		}
	}
	return &apps.App{ID: id}
}
