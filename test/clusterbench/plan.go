package main

import "fmt"

// load is one load that every system gets.
type load struct {
	name     string
	what     string // in words
	args     []string
	presence bool // its figures are those of joins, not of deliveries
}

// Deliveries: 900 clients on 100 channels, 9 of them on each, three at every node,
// so that two thirds of what a backend publishes goes from one node to another,
// and three quarters of what clients send.
const (
	clients  = 900
	channels = 100
	each     = clients / channels
)

// Rates of events that three nodes, an engine and the load tool take on two cores
// without falling behind: 9,000 and 16,000 deliveries a second.
const (
	triggerRate     = 1000
	clientEventRate = 2000
)

// plan returns the loads in order.
func plan(quick bool) []load {
	duration, warmup, members, fewer := "8s", "2s", 10_000, 1000
	if quick {
		duration, warmup, members, fewer = "3s", "1s", 1000, 200
	}
	timed := func(args ...string) []string { return append(args, "--duration", duration, "--warmup", warmup) }
	number := func(n int) string { return fmt.Sprint(n) }
	trigger := func(args ...string) []string {
		return timed(append([]string{"channels", "--channels", number(channels), "--subscribers", number(each)}, args...)...)
	}
	clientEvent := func(args ...string) []string {
		return timed(append([]string{"clientevents", "--connections", number(clients), "--channels", number(channels)}, args...)...)
	}
	// A member is told of every join and leave, so that opening takes a while.
	storm := func(members, rate int, args ...string) []string {
		return timed(append([]string{
			"presence-storm", "--connections", number(members), "--churners", number(min(members, 10*max(rate/10, 10))),
			"--rate", number(rate), "--connecting", "512", "--timeout", "60s", "--settle", "1s",
		}, args...)...)
	}
	return []load{
		{name: "triggers", what: fmt.Sprintf("triggers, %d/s", triggerRate), args: trigger("--rate", number(triggerRate), "--in-flight", "60")},
		{name: "events", what: fmt.Sprintf("client events, %d/s", clientEventRate), args: clientEvent("--rate", number(clientEventRate))},
		{name: "triggers-most", what: "triggers, as many as possible", args: trigger("--in-flight", "48")},
		{name: "events-most", what: "client events, as many as possible", args: clientEvent("--in-flight", "96")},
		{name: "joins-known", presence: true, what: fmt.Sprintf("%d members, 1000 joins and leaves/s of known users", members), args: storm(members, 1000, "--known")},
		{name: "joins", presence: true, what: fmt.Sprintf("%d members, 10 joins and leaves/s of new users", members), args: storm(members, 10)},
		{name: "joins-fewer", presence: true, what: fmt.Sprintf("%d members, 100 joins and leaves/s of new users", fewer), args: storm(fewer, 100)},
	}
}
