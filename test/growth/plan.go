package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// series is one kind of work that grows. Its name is that of its plot.
type series struct {
	name   string
	points []point
}

// point is one amount of work.
type point struct {
	x     int
	note  string // what differs from the plan
	loads []load
}

// load is one call of the load tool against a fresh server.
type load struct {
	name string   // of the line that it belongs to
	args []string // scenario and flags
	once bool     // a further run on the same server would tell something else
	cpus int      // that the server may use, 0 for all
}

// limits are what the machine allows.
type limits struct {
	connections int // of one process
	cpus        int
}

// effort is how long measurements take.
type effort struct {
	quick            bool
	runs             int
	warmup, duration time.Duration
	settle           time.Duration
}

func fullEffort() effort {
	return effort{runs: 3, warmup: time.Second, duration: 3 * time.Second, settle: 3 * time.Second}
}

func quickEffort() effort {
	return effort{quick: true, runs: 1, warmup: 300 * time.Millisecond, duration: time.Second, settle: time.Second}
}

// Names of loads, which are those of lines in the results.
const (
	loadClosed       = "closed loop"
	loadOpen         = "open loop"
	loadChannels     = "channels"
	loadIdle         = "idle"
	loadFanout       = "fan-out"
	loadClientEvents = "client events"
	loadTriggers     = "single triggers"
)

// plan returns everything that is measured.
func plan(l limits, e effort) []series {
	return []series{
		subscribersSeries(l, e), channelsSeries(e), connectionsSeries(l, e), payloadSeries(e), coresSeries(l, e),
	}
}

// choose returns the amounts of a full run, or those of a quick one.
func (e effort) choose(full, quick []int) []int {
	if e.quick {
		return quick
	}
	return full
}

// measured adds the flags that every load but idle has.
func (e effort) measured(args ...string) []string {
	return append(args, "--warmup", e.warmup.String(), "--duration", e.duration.String(), "--timeout", "60s")
}

// openDeliveries is how many deliveries a second the open loop asks of every
// number of subscribers: few enough for each of them.
const openDeliveries = 20_000

func subscribersSeries(l limits, e effort) series {
	s := series{name: "subscribers"}
	for _, n := range e.choose([]int{10, 100, 1000, 5000, 20_000}, []int{10, 100, 1000}) {
		x, note := l.fit(n)
		connections := strconv.Itoa(x)
		rate := strconv.FormatFloat(openDeliveries/float64(x), 'f', 3, 64)
		s.points = append(s.points, point{x: x, note: note, loads: []load{
			{name: loadClosed, args: e.measured("fanout", "--connections", connections)},
			{name: loadOpen, args: e.measured("fanout", "--connections", connections, "--rate", rate)},
		}})
		if x < n {
			break // that was the limit
		}
	}
	return s
}

// channelConnections share the subscriptions of all channels.
const channelConnections = 1000

func channelsSeries(e effort) series {
	s := series{name: "channels"}
	for _, n := range e.choose([]int{1, 100, 10_000, 100_000, 1_000_000}, []int{1, 100, 10_000}) {
		s.points = append(s.points, point{x: n, loads: []load{{name: loadChannels, once: true, args: e.measured("channels",
			"--channels", strconv.Itoa(n), "--subscribers", "1", "--connections", strconv.Itoa(min(n, channelConnections)), "--settle", e.settle.String())}}})
	}
	return s
}

func connectionsSeries(l limits, e effort) series {
	s := series{name: "connections"}
	for _, n := range e.choose([]int{1000, 5000, 10_000, 20_000, 50_000, 100_000}, []int{1000, 3000}) {
		x, note := l.fit(n)
		s.points = append(s.points, point{x: x, note: note, loads: []load{{name: loadIdle, once: true, args: []string{
			"idle", "--connections", strconv.Itoa(x), "--channels", "500", "--timeout", "60s",
			"--warmup", (2 * e.warmup).String(), "--settle", e.settle.String(), "--duration", e.duration.String(),
		}}}})
		if x < n {
			break // that was the limit
		}
	}
	return s
}

const payloadSubscribers = 100

func payloadSeries(e effort) series {
	s := series{name: "payload"}
	for _, n := range e.choose([]int{16, 256, 1024, 10_240, 102_400}, []int{16, 1024, 102_400}) {
		s.points = append(s.points, point{x: n, loads: []load{{name: loadFanout, args: e.measured("fanout",
			"--connections", strconv.Itoa(payloadSubscribers), "--size", strconv.Itoa(n))}}})
	}
	return s
}

func coresSeries(l limits, e effort) series {
	s := series{name: "cores"}
	for n := 1; n <= min(l.cpus, 16); n *= 2 {
		loads := []load{
			{name: loadFanout, cpus: n, args: e.measured("fanout")},
			{name: loadClientEvents, cpus: n, args: e.measured("clientevents")},
			{name: loadTriggers, cpus: n, args: e.measured("channels")},
		}
		s.points = append(s.points, point{x: n, loads: loads})
	}
	return s
}

// Descriptors that are no connections, in whichever of the two processes keeps
// more, and to what the rest is rounded.
const (
	spareFiles     = 600
	roundedFiles   = 1000
	mostPerProcess = 100_000
)

// connectionsOf returns how many connections a process with so many files has
// room for.
func connectionsOf(files uint64) int {
	possible := int(min(files, 1<<30)) - spareFiles
	if possible > roundedFiles {
		possible -= possible % roundedFiles
	}
	return min(max(possible, 1), mostPerProcess)
}

// fit returns n, or what the machine allows with a note.
func (l limits) fit(n int) (int, string) {
	if n <= l.connections {
		return n, ""
	}
	return l.connections, fmt.Sprintf("%d do not fit: the limit of open files allows %d", n, l.connections)
}

// only keeps the named series; without names all.
func only(all []series, names []string) ([]series, error) {
	if len(names) == 0 {
		return all, nil
	}
	var kept []series
	for _, name := range names {
		i := slices.IndexFunc(all, func(s series) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no series %q", name)
		}
		kept = append(kept, all[i])
	}
	return kept, nil
}
