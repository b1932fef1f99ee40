package bench

import (
	"context"
	"errors"
	"fmt"
)

var slowScenario = Scenario{
	Name:    "slow",
	Summary: "Some subscribers that stop reading beside others that do not",
	Defaults: defaults(func(o *Options) {
		o.Connections, o.Slow, o.Size, o.Rate = 100, 20, 9000, 50
	}),
	Flags: []string{"connections", "slow", "size", "rate", "in-flight"},
	setup: func(o *Options) string {
		return fmt.Sprintf("1 channel × %d subscribers that read and %d that do not, %d bytes, %s", o.Connections, o.Slow, o.Size, o.loop("events"))
	},
	connections: func(o *Options) int { return o.Connections + o.Slow },
	check: func(o *Options) error {
		if o.Connections+o.Slow > maxCount {
			return errors.New("--connections and --slow are too many together")
		}
		return someConnections(o)
	},
	run: runSlow,
}

// runSlow lets the slow consumers subscribe before they stop reading. When the
// load is over they read again, which shows whom the server has given up.
func runSlow(ctx context.Context, r *run) error {
	p := r.newPublication(shape{channels: 1, subscribers: r.o.Connections, connections: r.o.Connections, batch: 1, slow: r.o.Slow})
	defer p.fleet.close()
	if err := p.fleet.open(ctx, r.o); err != nil {
		return err
	}
	slow := p.fleet.clients[r.o.Connections : r.o.Connections+r.o.Slow]
	p.fleet.engine.do(func() {
		for _, c := range slow {
			p.fleet.engine.hold(c)
		}
	})
	before, err := r.sample(p.fleet, nil)
	if err != nil {
		return err
	}
	w, err := r.load(ctx, p)
	if err != nil {
		return err
	}
	p.fleet.engine.do(func() {
		for _, c := range slow {
			if c.state == ready {
				p.fleet.engine.release(c)
			}
		}
	})
	err = r.drain(ctx, p.fleet, func() bool { return p.fleet.counts.slowLosses == uint64(len(slow)) })
	if err != nil {
		return err
	}
	r.publicationFigures(p, w)
	r.slowFigures(p.fleet, before, w)
	return nil
}

func (r *run) slowFigures(f *fleet, before sample, w window) {
	if r.o.Slow == 0 {
		return
	}
	var given uint64
	f.engine.do(func() { given = f.counts.slowLosses })
	r.result.add("slow consumers closed by the server", "", float64(given), "")
	if len(r.o.PIDs) > 0 {
		grown := float64(w.to.server.rss) - float64(before.server.rss)
		r.result.add("server RSS growth per slow consumer", "KiB", grown/1024/float64(r.o.Slow), Lower)
	}
}
