package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Run measures a scenario as often as o says, then its floor if that is wanted,
// and returns all results. On an error the results so far come with it.
func Run(ctx context.Context, o Options) ([]Result, error) {
	scenario, ok := find(o.Scenario)
	if !ok {
		return nil, fmt.Errorf("there is no scenario %q", o.Scenario)
	}
	if err := errors.Join(o.validate(), scenario.check(&o)); err != nil {
		return nil, err
	}
	results, err := repeat(ctx, &o, scenario)
	if err != nil || !o.Floor {
		return results, err
	}
	for _, floor := range floorsOf(&o) {
		more, err := repeat(ctx, &floor, limitScenario)
		results = append(results, more...)
		if err != nil {
			return results, fmt.Errorf("measure the floor: %w", err)
		}
	}
	return results, nil
}

func repeat(ctx context.Context, o *Options, scenario Scenario) ([]Result, error) {
	var results []Result
	for i := range o.Runs {
		o.progress("%s, run %d of %d: %s", scenario.Name, i+1, o.Runs, scenario.describe(o))
		r := &run{o: o, result: &Result{Scenario: scenario.Name, Setup: scenario.describe(o), Started: time.Now().UTC().Truncate(time.Second)}}
		if err := r.do(ctx, scenario); err != nil {
			return results, err
		}
		results = append(results, *r.result)
	}
	return results, nil
}

// run is one run of a scenario.
type run struct {
	o       *Options
	targets []*target // at least one, unless the scenario needs none
	result  *Result
}

// spareDescriptors are those of files and pipes.
const spareDescriptors = 64

func (r *run) do(ctx context.Context, scenario Scenario) (err error) {
	if err := needDescriptors(scenario.connections(r.o) + r.o.InFlight + len(r.o.URLs) + spareDescriptors); err != nil {
		return err
	}
	if _, _, err := usageOf(r.o.PIDs); err != nil {
		return err
	}
	if !scenario.alone {
		if r.targets, err = newTargets(ctx, r.o); err != nil {
			return err
		}
	}
	runtime.GC() // what earlier runs left is not this one's cost
	return scenario.run(ctx, r)
}

// sample is the state of everything at one moment.
type sample struct {
	at           int64
	server, self usage
	each         []usage       // the parts of server, by process
	machine      time.Duration // CPU time of everything, if known
	waited       int64         // of the engine
	fleet        fleetCounts
	counts       counts
}

// window is what lies between two samples.
type window struct{ from, to sample }

func (w window) seconds() float64      { return float64(w.to.at-w.from.at) / 1e9 }
func (w window) deliveries() uint64    { return w.to.counts.deliveries - w.from.counts.deliveries }
func (w window) cpu() time.Duration    { return w.to.server.cpu() - w.from.server.cpu() }
func (w window) user() time.Duration   { return w.to.server.user - w.from.server.user }
func (w window) self() time.Duration   { return w.to.self.cpu() - w.from.self.cpu() }
func (w window) others() time.Duration { return w.to.machine - w.from.machine - w.cpu() - w.self() }

// sample reads everything. The deliveries are read inside the engine, by look.
func (r *run) sample(f *fleet, look func() counts) (s sample, err error) {
	f.engine.do(func() {
		s.fleet = f.counts
		if look != nil {
			s.counts = look()
		}
	})
	s.at, s.waited = now(), f.engine.waited()
	s.self = selfUsage()
	s.machine, _ = machineCPU()
	s.server, s.each, err = usageOf(r.o.PIDs)
	return s, err
}

// watchEvery is how often a run looks whether it still makes sense.
const watchEvery = 200 * time.Millisecond

// hold waits, and fails early if the server refuses what the scenario needs or,
// in a closed loop, has ended a connection: nothing would go on then.
func (r *run) hold(ctx context.Context, f *fleet, d time.Duration) error {
	end := time.Now().Add(d)
	for {
		var trouble error
		f.engine.do(func() {
			switch {
			case f.trouble != nil:
				trouble = f.trouble
			case f.counts.refusals > 0:
				trouble = errors.New("the server refused a request of the scenario: " + f.refusal)
			case f.counts.losses > 0 && r.o.Rate == 0:
				trouble = fmt.Errorf("%d connections were lost, the first of them: %s", f.counts.losses, f.loss)
			}
		})
		if trouble != nil {
			return trouble
		}
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		if err := sleep(ctx, min(left, watchEvery)); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// measure lets the load run and returns what happened between warm-up and end.
// begin is called inside the engine when the measurement begins.
func (r *run) measure(ctx context.Context, f *fleet, look func() counts, begin func(at int64)) (w window, err error) {
	if err := r.hold(ctx, f, r.o.Warmup); err != nil {
		return w, err
	}
	f.engine.do(func() { begin(now()) })
	return r.window(ctx, f, look)
}

// window returns what happens within the measurement's time.
func (r *run) window(ctx context.Context, f *fleet, look func() counts) (w window, err error) {
	if w.from, err = r.sample(f, look); err != nil {
		return w, err
	}
	if err := r.hold(ctx, f, r.o.Duration); err != nil {
		return w, err
	}
	w.to, err = r.sample(f, look)
	return w, err
}

// drain waits until everything expected has arrived, or the timeout is over.
func (r *run) drain(ctx context.Context, f *fleet, done func() bool) error {
	const step = 10 * time.Millisecond
	for end := time.Now().Add(r.o.Timeout); time.Now().Before(end); {
		arrived := false
		f.engine.do(func() { arrived = done() })
		if arrived {
			return nil
		}
		if err := sleep(ctx, step); err != nil {
			return err
		}
	}
	return nil
}
