package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var idleScenario = Scenario{
	Name:    "idle",
	Summary: "Connections that do nothing: what each costs in memory and to make; needs a fresh server",
	Defaults: defaults(func(o *Options) {
		o.Connections, o.Channels, o.Connecting = 5000, 500, 32
		o.Warmup, o.Settle = 5*time.Second, 3*time.Second
	}),
	Flags: []string{"connections", "channels", "connecting", "settle", "metrics"},
	setup: func(o *Options) string {
		return fmt.Sprintf("%d connections on %d channels, %d connecting at a time", o.Connections, o.Channels, o.Connecting)
	},
	connections: func(o *Options) int { return o.Connections },
	check: func(o *Options) error {
		if o.Runs > 1 {
			return errors.New("idle needs a fresh server for each run, since memory is not given back at once: --runs must be 1; --json collects runs")
		}
		if o.Metrics != "" && max(len(o.URLs), len(o.PIDs)) > 1 {
			return errors.New("--metrics are those of one process: give one --url and one --pid")
		}
		return someConnections(o)
	},
	run: runIdle,
}

// memoryState is the server's memory as far as it can be seen. What cannot is 0.
type memoryState struct {
	memory
	runtime runtimeMemory
	live    float64 // heap objects behind a collection
}

// idleMemory reads memory before and behind the connects. The kernel's view comes
// first, since a collection changes what it sees.
type idleMemory struct {
	pids    []int
	scraper *scraper // nil without metrics
	lives   bool     // the server collects when asked to
}

func (m *idleMemory) read(ctx context.Context) (s memoryState, err error) {
	if s.memory, err = memoryOf(m.pids); err != nil {
		return s, err
	}
	if m.scraper == nil {
		return s, nil
	}
	if s.runtime, err = m.scraper.read(ctx); err != nil {
		return s, err
	}
	live, ok := m.scraper.collected(ctx)
	s.live, m.lives = live.objects, ok
	return s, nil
}

// runIdle reads the server's memory once it has settled, and its CPU time behind
// that.
func runIdle(ctx context.Context, r *run) (err error) {
	m := idleMemory{pids: r.o.PIDs}
	if r.o.Metrics != "" {
		if m.scraper, err = newScraper(ctx, r.o); err != nil {
			return err
		}
	}
	if _, err := m.read(ctx); err != nil { // what this touches is not growth
		return err
	}
	empty, err := m.read(ctx)
	if err != nil {
		return err
	}
	f := r.connects()
	defer f.close()
	connected, err := r.connect(ctx, f)
	if err != nil {
		return err
	}
	if err := r.hold(ctx, f, r.o.Warmup); err != nil {
		return err
	}
	steady, err := r.settle(ctx, f)
	if err != nil {
		return err
	}
	idle, err := r.window(ctx, f, nil)
	if err != nil {
		return err
	}
	settled, err := m.read(ctx)
	if err != nil {
		return err
	}
	r.idleFigures(&connected, &idle, empty, settled)
	if len(r.o.PIDs) > 0 && r.o.Settle > 0 {
		r.result.add("server memory steady after", "s", float64(max(steady-connected.to.at, 0))/1e9, Lower)
	}
	if m.scraper != nil {
		r.runtimeFigures(empty, settled, m.lives)
	}
	r.connectFigures(f, connected)
	return nil
}

func (r *run) idleFigures(connected, idle *window, empty, settled memoryState) {
	res := r.result
	if len(r.o.PIDs) == 0 {
		res.warn("without --pid neither memory nor CPU time of the server is known")
		return
	}
	res.add("server RSS per connection", "KiB", r.perConnection(settled.rss, empty.rss), Lower)
	res.add("of it anonymous: heap and stacks", "KiB", r.perConnection(settled.anonymous, empty.anonymous), Lower)
	res.add("of it files: program code", "KiB", r.perConnection(settled.file, empty.file), Lower)
	res.add("server RSS per connection, just connected", "KiB", r.perConnection(connected.to.server.rss, connected.from.server.rss), Lower)
	res.add("empty server RSS", "MiB", float64(empty.rss)/(1<<20), Lower)
	hours := float64(r.o.Connections) * idle.seconds() / 3600
	res.add("server CPU per idle connection and hour", "ms", idle.cpu().Seconds()*1000/hours, Lower)
}

// perConnection is the growth for each connection, in KiB.
func (r *run) perConnection(after, before uint64) float64 {
	return (float64(after) - float64(before)) / 1024 / float64(r.o.Connections)
}

// runtimeFigures splits the growth into parts whose sum is that of the resident
// memory. The rest may be negative: memory that the runtime counts need not have
// been touched.
func (r *run) runtimeFigures(empty, settled memoryState, lives bool) {
	res, n := r.result, float64(r.o.Connections)
	a, b := settled.runtime, empty.runtime
	part := func(name string, growth float64) { res.add(name+" per connection", "KiB", growth/1024/n, Lower) }
	part("heap objects", a.objects-b.objects)
	if lives {
		res.add("of them live", "KiB", (settled.live-empty.live)/1024/n, Lower)
	}
	part("heap in use beyond objects", a.inUse-a.objects-b.inUse+b.objects)
	part("heap free but held", a.held-b.held)
	part("goroutine stacks", a.stacks-b.stacks)
	part("runtime metadata", a.metadata-b.metadata)
	if len(r.o.PIDs) > 0 {
		counted := func(m runtimeMemory) float64 { return m.inUse + m.held + m.stacks + m.metadata }
		part("rest of RSS", float64(settled.rss)-float64(empty.rss)-counted(a)+counted(b))
	}
	res.add("goroutines per connection", "", (a.goroutines-b.goroutines)/n, Lower)
}
