package main

import (
	"os"
	"path/filepath"
)

// chart says what of a series is shown and how.
type chart struct {
	series string
	title  string
	x      string // label of the axis
	amount func(int) string
	left   axis
	right  axis
}

// axis holds lines of one unit. One without lines is not drawn.
type axis struct {
	label string
	log   bool
	lines []line
}

// line is one figure of one load.
type line struct {
	label  string
	load   string
	figure string
	from   int // least x at which the figure means something
}

// Names of figures, as the load tool has them.
const (
	figureCost     = "server CPU per million deliveries"
	figureEvents   = "server CPU per million events"
	figureRate     = "deliveries per second"
	figureP50      = "latency p50"
	figureChannel  = "server RSS per channel"
	figureRSS      = "server RSS per connection"
	figureLive     = "of them live"
	figureConnect  = "server CPU per connect"
	figureReceived = "received"
)

// charts returns all plots, in the order of the plan.
func charts() []chart {
	const perDelivery = "server CPU, µs per delivery"
	return []chart{
		{
			series: "subscribers", title: "Subscribers of one channel", x: "subscribers", amount: grouped,
			left: axis{label: perDelivery, lines: []line{
				{label: "CPU, closed loop", load: loadClosed, figure: figureCost},
				{label: "CPU, open loop at 20,000 deliveries/s", load: loadOpen, figure: figureCost},
			}},
			right: axis{label: "latency p50, ms", lines: []line{{label: "p50, open loop", load: loadOpen, figure: figureP50}}},
		},
		{
			series: "channels", title: "Channels with one subscriber each", x: "channels, on at most 1,000 connections", amount: grouped,
			left:  axis{label: "server CPU, µs per event", lines: []line{{label: "CPU per event", load: loadChannels, figure: figureEvents}}},
			right: axis{label: "KiB of memory per channel", lines: []line{{label: "RSS per channel", load: loadChannels, figure: figureChannel, from: 10_000}}},
		},
		{
			series: "connections", title: "Idle connections, one channel each", x: "connections", amount: grouped,
			left: axis{label: "KiB of memory per connection", lines: []line{
				{label: "RSS per connection", load: loadIdle, figure: figureRSS},
				{label: "of it live heap", load: loadIdle, figure: figureLive},
			}},
			right: axis{label: "server CPU, ms per connect", lines: []line{{label: "CPU per connect", load: loadIdle, figure: figureConnect}}},
		},
		{
			series: "payload", title: "Size of an event, 100 subscribers", x: "event data", amount: bytesOf,
			left:  axis{label: perDelivery, log: true, lines: []line{{label: "CPU per delivery", load: loadFanout, figure: figureCost}}},
			right: axis{label: "MiB/s delivered", log: true, lines: []line{{label: "MiB/s", load: loadFanout, figure: figureReceived}}},
		},
		{
			series: "cores", title: "Cores of the server", x: "cores", amount: grouped,
			left: axis{label: perDelivery, lines: []line{
				{label: "CPU, fan-out to 1,000", load: loadFanout, figure: figureCost},
				{label: "CPU, client events among 100", load: loadClientEvents, figure: figureCost},
			}},
			right: axis{label: "deliveries per second", lines: []line{
				{label: "rate, fan-out", load: loadFanout, figure: figureRate},
				{label: "rate, single triggers to 3", load: loadTriggers, figure: figureRate},
			}},
		},
	}
}

// draw writes the plots of every series that has results, each to a file of its
// name, and returns the paths.
func draw(r *results, dir string) (paths []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	for _, c := range charts() {
		s := r.series(c.series)
		if s == nil {
			continue
		}
		path := filepath.Join(dir, c.series+".svg")
		if err := os.WriteFile(path, c.svg(s), 0o644); err != nil {
			return paths, err
		}
		paths = append(paths, path)
	}
	return paths, nil
}
