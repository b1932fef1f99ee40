package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Scenario is one way to load a server.
type Scenario struct {
	Name     string
	Summary  string
	Defaults Options  // without server and app
	Flags    []string // names of the flags, besides those of every scenario, that it heeds

	alone       bool // needs no server
	setup       func(o *Options) string
	connections func(o *Options) int
	check       func(o *Options) error
	run         func(ctx context.Context, r *run) error
}

// Alone reports whether the scenario needs no server.
func (s Scenario) Alone() bool { return s.alone }

// describe says in words what is measured.
func (s Scenario) describe(o *Options) string {
	if s.alone {
		return s.setup(o)
	}
	return s.setup(o) + o.servers()
}

// Scenarios returns all scenarios, the floor included.
func Scenarios() []Scenario {
	return []Scenario{
		idleScenario, fanoutScenario, channelsScenario, batchScenario, clientEventsScenario,
		presenceScenario, presenceStormScenario, slowScenario, stormScenario, limitScenario,
	}
}

func find(name string) (Scenario, bool) {
	all := Scenarios()
	i := slices.IndexFunc(all, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return all[i], true
}

// defaults returns the options that most scenarios share, changed by change.
func defaults(change func(o *Options)) Options {
	o := Options{
		Channels: 1, Batch: 1, Size: 256, InFlight: 4, Connecting: 64, FramesPerWrite: 1, Runs: 1,
		Warmup: 2 * time.Second, Duration: 10 * time.Second, Timeout: 10 * time.Second,
	}
	change(&o)
	return o
}

// loop says in words whether the load waits for the server.
func (o *Options) loop(unit string) string {
	if o.Rate > 0 {
		return fmt.Sprintf("open loop, %g %s/s", o.Rate, unit)
	}
	return fmt.Sprintf("closed loop, %d %s in flight", o.InFlight, unit)
}

// servers ends the setup of a load on several servers.
func (o *Options) servers() string {
	if len(o.URLs) < 2 {
		return ""
	}
	return fmt.Sprintf(", on %d servers", len(o.URLs))
}

// plural writes a number of things.
func plural(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

func someConnections(o *Options) error {
	if o.Connections == 0 {
		return errors.New("--connections must be at least 1")
	}
	return nil
}
