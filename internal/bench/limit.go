package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

var limitScenario = Scenario{
	Name:     "limit",
	Summary:  "The floor: bare writes of the same frames to as many sockets, by a small process of its own",
	Defaults: defaults(func(o *Options) { o.Connections = 1000 }),
	Flags:    []string{"connections", "size", "rate", "in-flight", "frames-per-write"},
	setup: func(o *Options) string {
		return fmt.Sprintf("%d sockets, %d bytes of data, %d frames a write, %s", o.Connections, o.Size, o.FramesPerWrite, o.loop("frames to each"))
	},
	connections: func(o *Options) int { return o.Connections },
	check: func(o *Options) error {
		if o.FramesPerWrite > o.InFlight && o.Rate == 0 {
			return errors.New("--frames-per-write must be at most --in-flight")
		}
		return someConnections(o)
	},
	alone: true,
	run:   runLimit,
}

// floorsOf returns the floors to compare a scenario with: one write for each
// delivery, and in a closed loop on one channel also as many deliveries in one
// write as there may be.
func floorsOf(o *Options) []Options {
	floor := *o
	floor.Scenario, floor.FramesPerWrite, floor.Batch, floor.Floor = limitScenario.Name, 1, 1, false
	scenario, _ := find(o.Scenario)
	floor.Connections = scenario.connections(o)
	many := o.Scenario == clientEventsScenario.Name && o.Channels > 1
	if o.Scenario == channelsScenario.Name || o.Scenario == batchScenario.Name || many {
		floor.Rate = 0          // rounds over all connections, not requests
		return []Options{floor} // events in flight are for different connections
	}
	all := []Options{floor}
	if floor.Rate == 0 && floor.InFlight > 1 {
		floor.FramesPerWrite = floor.InFlight
		all = append(all, floor)
	}
	return all
}

// writer is the process that writes.
type writer struct {
	command *exec.Cmd
	control io.WriteCloser // a byte is a credit: one more frame to each socket; its end is the writer's
	output  *bufio.Reader
	address netip.AddrPort
}

// startWriter starts the process and learns where it listens.
func startWriter(ctx context.Context, o *Options) (*writer, error) {
	if len(o.Writer) == 0 {
		return nil, errors.New("no command is known that runs the writer")
	}
	arguments := append(o.Writer[1:len(o.Writer):len(o.Writer)],
		"--connections", strconv.Itoa(o.Connections), "--size", strconv.Itoa(o.Size),
		"--frames-per-write", strconv.Itoa(o.FramesPerWrite), "--rate", strconv.FormatFloat(o.Rate, 'g', -1, 64))
	w := &writer{command: exec.CommandContext(ctx, o.Writer[0], arguments...)} //nolint:gosec // this program, or a test
	w.command.WaitDelay = o.Timeout
	var err error
	if w.control, err = w.command.StdinPipe(); err != nil {
		return nil, fmt.Errorf("make pipe to writer: %w", err)
	}
	output, err := w.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe from writer: %w", err)
	}
	if err := w.command.Start(); err != nil {
		return nil, fmt.Errorf("start writer: %w", err)
	}
	w.output = bufio.NewReader(output)
	line, err := w.output.ReadString('\n')
	if err == nil {
		w.address, err = netip.ParseAddrPort(strings.TrimSpace(strings.TrimPrefix(line, listening)))
	}
	if err != nil {
		_, _ = w.end()
		return nil, fmt.Errorf("learn where the writer listens: %w", err)
	}
	return w, nil
}

// end lets the process end and returns how many frames it wrote to each socket.
func (w *writer) end() (uint64, error) {
	_ = w.control.Close()
	line, readErr := w.output.ReadString('\n')
	if err := w.command.Wait(); err != nil {
		return 0, fmt.Errorf("run writer: %w", err)
	}
	if readErr != nil {
		return 0, fmt.Errorf("read end of writer: %w", readErr)
	}
	return strconv.ParseUint(strings.TrimSpace(strings.TrimPrefix(line, wrote)), 10, 64)
}

func runLimit(ctx context.Context, r *run) error {
	w, err := startWriter(ctx, r.o)
	if err != nil {
		return err
	}
	o := *r.o
	o.PIDs = []int{w.command.Process.Pid}
	if _, _, err := usageOf(o.PIDs); err != nil {
		o.PIDs = nil
		r.result.warn("the writer's cost is not known: %v", err)
	}
	r = &run{o: &o, targets: []*target{{address: w.address}}, result: r.result}

	s := shape{channels: 1, subscribers: o.Connections, connections: o.Connections, batch: 1}
	issued := uint64(math.MaxUint64) // the writer counts
	credit := []byte{1}
	t := newTraffic(s, newEventData(o.Size), &issued, func() {
		if o.Rate == 0 {
			_, _ = w.control.Write(credit) // a writer that is gone shows in its end
		}
	})
	clients := s.clients()
	for _, c := range clients {
		c.raw, c.channels = true, nil
	}
	f := newFleet(&o, r.targets, clients, t, nil)
	defer f.close()
	measured, err := r.loadLimit(ctx, f, t, w)
	if f.engine != nil {
		f.engine.do(func() { f.closing = true }) // its sockets end with the writer
	}
	frames, endErr := w.end()
	if err = errors.Join(err, endErr); err != nil {
		return err
	}
	expected := frames * uint64(o.Connections)
	if err := r.drain(ctx, f, func() bool { return t.counts.deliveries >= expected }); err != nil {
		return err
	}
	r.cost(measured, float64(measured.deliveries())/float64(o.Connections))
	f.engine.do(func() {
		r.result.Figures = append(r.result.Figures, t.latency.figures("latency")...)
		r.account(f, t.counts, frames, expected)
	})
	return nil
}

// loadLimit gives the first credits, which in an open loop are the sign to begin.
func (r *run) loadLimit(ctx context.Context, f *fleet, t *traffic, w *writer) (window, error) {
	if err := f.open(ctx, r.o); err != nil {
		return window{}, err
	}
	if _, err := w.control.Write(make([]byte, r.o.InFlight)); err != nil {
		return window{}, fmt.Errorf("give credit to the writer: %w", err)
	}
	return r.measure(ctx, f, func() counts { return t.counts }, func(at int64) {
		t.since, t.until = at, at+int64(r.o.Duration)
	})
}

// waitForReader is how long the writer waits for a socket or for its reader.
const waitForReader = 30 * time.Second
