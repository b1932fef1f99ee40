package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Options are the settings of a [Dispatcher]. Zero values work.
type Options struct {
	Registry    *apps.Registry // current settings of apps; nil: those of each notice
	Allow       []netip.Prefix // private addresses that receivers may have
	GraceDelay  time.Duration  // of channel_vacated and member_removed; 0: none
	Timeout     time.Duration  // of one attempt; 0: 10 s
	QueueBytes  int            // waiting per endpoint; 0: 64 MiB
	MaxInFlight int            // attempts of all endpoints at once, of which one gets at most half; 0: 256
	UserAgent   string         // "": pipesocketd
	Log         *slog.Logger   // nil: none
	Metrics     Registerer     // nil: not registered

	MaxHeld   int               // notices held back by GraceDelay at once; 0: 1,000,000
	Resolver  *net.Resolver     // nil: the system's
	Trust     Trust             // until Renew
	Transport http.RoundTripper // instead of the guarded one, which Allow, Resolver and Trust are for
	Journal   Journal           // nil: nothing outlives the process
	Attempts  AttemptLog        // is told of each attempt; nil: nobody is

	// OnTold is called when receivers are about to be told that an edge is on or off:
	// after the delay, and not of what nobody selects; nil: nobody wants to know. Calls
	// are made one at a time, in the order of the edges, with the lock of the delay held,
	// some of them from within Emit and RestoreEdges. It must not block, nor call
	// the dispatcher, nor wait for a lock that is held during a call of the dispatcher. If it
	// returns false, the edge is not told: somebody else is to, or Tell will be called.
	OnTold func(e hub.Edge, on bool) bool
}

func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, 10*time.Second)
	o.QueueBytes = cmp.Or(o.QueueBytes, 64<<20)
	o.MaxInFlight = cmp.Or(o.MaxInFlight, 256)
	o.UserAgent = cmp.Or(o.UserAgent, "pipesocketd")
	o.MaxHeld = cmp.Or(o.MaxHeld, 1_000_000)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = newRenewable(o)
	}
	return o
}

// Dispatcher posts notices to webhook endpoints. Emit may be called from any
// goroutine; Run and Close once each.
type Dispatcher struct {
	// Set by New, immutable.
	options Options
	metrics *metrics
	sender  *sender
	slots   *slots
	grace   *grace
	wake    chan struct{} // for Run, capacity 1, never closed
	closing chan struct{} // closed by Close
	ended   chan struct{} // closed when Run returns

	// Read by every Emit without the mutex.
	closed atomic.Bool
	routes sync.Map // *apps.App → *routes, one per app id; changed under mu

	mu        sync.Mutex
	routed    map[apps.ID]*apps.App // keys of routes
	sealed    bool                  // no further lanes
	lanes     map[laneKey]*lane
	unstarted []*lane
	abort     context.CancelFunc // of Run, nil before
	finish    sync.Once
	left      error
}

var _ hub.NoticeSink = (*Dispatcher)(nil)

// New returns a dispatcher for the endpoints of all apps. It fails if one of
// those now in the registry has an unusable URL, or if its metrics are
// registered already. With a journal, RestoreEdges or ForgetAllTold is to be
// called before edges come.
func New(o Options) (*Dispatcher, error) {
	o = o.withDefaults()
	d := &Dispatcher{
		options: o,
		metrics: newMetrics(),
		sender:  newSender(o),
		slots:   newSlots(o.MaxInFlight),
		wake:    make(chan struct{}, 1),
		closing: make(chan struct{}),
		ended:   make(chan struct{}),
		routed:  make(map[apps.ID]*apps.App),
		lanes:   make(map[laneKey]*lane),
	}
	d.grace = newGrace(o.GraceDelay, o.MaxHeld, d.metrics, d.forward)
	d.grace.told = o.OnTold
	if err := d.openRegistered(); err != nil {
		return nil, err
	}
	if o.Metrics != nil {
		if err := d.metrics.register(o.Metrics); err != nil {
			return nil, fmt.Errorf("register webhook metrics: %w", err)
		}
	}
	return d, nil
}

func (d *Dispatcher) openRegistered() error {
	if d.options.Registry == nil {
		return nil
	}
	var faults []error
	for _, app := range d.options.Registry.All() {
		for _, to := range d.routesOf(app).to {
			if to.lane.fault != nil {
				faults = append(faults, fmt.Errorf("app %q: %w", app.ID, to.lane.fault))
			}
		}
	}
	return errors.Join(faults...)
}

// Emit implements [hub.NoticeSink]. After Close, or after Run was aborted, it
// only counts.
func (d *Dispatcher) Emit(n hub.Notice) {
	if d.closed.Load() {
		d.metrics.drop(n.App.ID, DropClosed, 1)
		return
	}
	to := d.routesOf(n.App)
	if n.Channel.Kind().Has(protocol.ToUser) || !to.want(n) {
		return
	}
	switch {
	case falls(n.Name):
		if d.grace.fall(n) {
			d.signal()
		}
	case rises(n.Name) && d.grace.rise(n):
		// It has cancelled the opposite edge, or came too late.
	default:
		d.forwardTo(to, n)
	}
}

// Wants reports whether an endpoint selects a notice, or the one that cancels it.
func (d *Dispatcher) Wants(n hub.Notice) bool {
	return !n.Channel.Kind().Has(protocol.ToUser) && d.routesOf(n.App).want(n)
}

// Tell sends a notice as it is, without the delay: one of which [Options.OnTold] has said
// that it is not to be told yet.
func (d *Dispatcher) Tell(n hub.Notice) { d.forward(n) }

// forward is for notices that were held back: settings may have changed since.
func (d *Dispatcher) forward(n hub.Notice) { d.forwardTo(d.routesOf(n.App), n) }

// forwardTo lets a notice out: to the journal if there is one, and to the lanes.
func (d *Dispatcher) forwardTo(r *routes, n hub.Notice) {
	if d.options.Journal == nil {
		d.hand(r, n, event{app: n.App, channel: hashChannel(n.Channel)})
		return
	}
	d.keep(r, n)
}

// hand gives a notice to the lanes of the endpoints that select it. One encoding
// serves all of them.
func (d *Dispatcher) hand(r *routes, n hub.Notice, e event) {
	name := setOf(n.Name)
	for i := range r.to {
		to := &r.to[i]
		if !to.selects(name, n.Channel) {
			continue
		}
		if e.json == nil {
			e.json = appendNotice(make([]byte, 0, noticeSize(n)), n)
		}
		e.batching = to.batching
		if !to.lane.add(e) {
			d.metrics.drop(n.App.ID, DropClosed, 1)
		}
	}
}

func (d *Dispatcher) signal() {
	select {
	case d.wake <- struct{}{}:
	default: // Run will look anyway
	}
}

// Run delivers until Close has drained everything, then returns nil; after Close
// it returns nil at once. The end of ctx aborts it: attempts in flight are given
// up and the cause is returned.
func (d *Dispatcher) Run(ctx context.Context) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	if proceed, err := d.begin(cancel); !proceed {
		return err
	}
	defer close(d.ended)
	var lanes sync.WaitGroup
	d.loop(running, &lanes)
	lanes.Wait()
	return context.Cause(ctx)
}

func (d *Dispatcher) begin(abort context.CancelFunc) (proceed bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sealed { // perhaps by a Close that was quicker
		return false, nil
	}
	if d.abort != nil {
		return false, errors.New("run webhooks: started twice")
	}
	d.abort = abort
	return true, nil
}

// loop starts lanes and lets held notices go when their time has come. It
// returns when there will be no further ones.
func (d *Dispatcher) loop(ctx context.Context, lanes *sync.WaitGroup) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(d.grace.release(time.Now()))
		d.startLanes(ctx, lanes)
		select {
		case <-d.wake:
		case <-timer.C:
		case <-d.closing:
			d.startLanes(ctx, lanes)
			return
		case <-ctx.Done():
			d.refuse()
			return
		}
	}
}

func (d *Dispatcher) startLanes(ctx context.Context, running *sync.WaitGroup) {
	d.mu.Lock()
	lanes := d.unstarted
	d.unstarted = nil
	d.mu.Unlock()
	for _, l := range lanes {
		running.Go(func() { l.run(ctx) })
	}
}

// refuse ends the intake: of notices, of lanes and of each lane's events. What
// was held back by the delay goes to the lanes first.
func (d *Dispatcher) refuse() {
	d.closed.Store(true)
	d.grace.flush()
	d.mu.Lock()
	d.sealed = true
	lanes := d.lanes
	d.mu.Unlock()
	for _, l := range lanes { // not changed any more
		l.close()
	}
}

// Close takes no further notices, seals at once what is waiting for a delay or
// a batch, and waits until all is delivered or given up, or until ctx ends; then
// attempts in flight are abandoned. All goroutines have ended when it returns.
// The error tells how much was left undelivered and is lost. With a journal, what
// cannot be delivered at once is left to the next process.
func (d *Dispatcher) Close(ctx context.Context) error {
	d.finish.Do(func() {
		d.refuse()
		close(d.closing)
		d.await(ctx)
		d.left = d.countLeft()
	})
	return d.left
}

func (d *Dispatcher) await(ctx context.Context) {
	d.mu.Lock()
	abort := d.abort
	d.mu.Unlock()
	if abort == nil { // never ran, and from now on it cannot
		return
	}
	select {
	case <-d.ended:
	case <-ctx.Done():
		abort()
		<-d.ended
	}
	d.sender.closeIdle()
}

func (d *Dispatcher) countLeft() error {
	left, kept := 0, 0
	for _, l := range d.lanes {
		l, k := l.left()
		left, kept = left+l, kept+k
	}
	if kept > 0 {
		d.options.Log.Info("webhooks wait for the next start", "events", kept)
	}
	if left == kept {
		return nil
	}
	return fmt.Errorf("stop webhooks: %d events left undelivered", left-kept)
}

// current returns the app's settings of this moment: a connection may keep
// notices coming under settings that were replaced since.
func (d *Dispatcher) current(app *apps.App) *apps.App {
	if d.options.Registry != nil {
		if now := d.options.Registry.ByID(app.ID); now != nil {
			return now
		}
	}
	return app
}
