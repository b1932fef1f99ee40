package bench

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// Options say what to measure and how. A scenario's defaults are in
// [Scenario].Defaults; a field that the scenario does not use is ignored.
type Options struct {
	Scenario string

	URLs        []string // of the servers' public listeners, mount included: http or https; connections and requests go to them in turns
	AppID       string
	Key         auth.Key
	AllowRemote bool // the servers may be on other machines

	Connections    int     // in all; 0 where Channels and Subscribers decide
	Channels       int     // channels in all
	Subscribers    int     // subscriptions of each channel
	Size           int     // bytes of an event's data
	Batch          int     // events in one request
	Slow           int     // consumers that do not read, besides Connections
	Churners       int     // connections that join and leave, besides Connections
	Known          bool    // who joins is a member already, by a connection to another server
	Rate           float64 // requests, client events or connects per second; 0 is a closed loop
	InFlight       int     // closed loop: requests or client events not yet delivered everywhere
	Connecting     int     // connects at the same time
	FramesPerWrite int     // of the floor

	Warmup   time.Duration // load before the measurement
	Duration time.Duration // of the measurement
	Timeout  time.Duration // of a connect, a request and the wait for the last deliveries

	PIDs    []int         // the servers' processes, and others that work for them; none if their cost is not to be measured
	Metrics string        // URL of the server's metrics, "" if they are not to be read
	Settle  time.Duration // how long the server's memory must be steady to be read; 0 does not wait
	Runs    int           // repetitions
	Floor   bool          // also measure the floor with the same connections, size and rate

	// Writer is the command that runs [ServeLimit] with its arguments appended.
	Writer []string

	// Progress is told what is being done. May be nil.
	Progress io.Writer

	// set by tests
	portable bool           // the engine of other systems
	roots    *x509.CertPool // nil for those of the system
}

// Bounds of options.
const (
	minSize      = len(stampMark) + compactDigits
	maxSize      = 128 << 10
	maxCount     = 1 << 20
	maxInFlight  = 1 << 10
	maxRate      = 1e6
	maxServers   = 1 << 8 // their numbers fit into a byte
	maxBatch     = 100
	maxRunLength = 24 * time.Hour
)

// validate tells all faults at once.
func (o *Options) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	count := func(name string, value, least, most int) {
		check(value >= least && value <= most, "--%s must be %d to %d, not %d", name, least, most, value)
	}
	length := func(name string, value, least time.Duration) {
		check(value >= least && value <= maxRunLength, "--%s must be %s to %s, not %s", name, least, maxRunLength, value)
	}
	count("connections", o.Connections, 0, maxCount)
	count("channels", o.Channels, 1, maxCount)
	count("subscribers", o.Subscribers, 0, maxCount)
	count("size", o.Size, minSize, maxSize)
	count("batch", o.Batch, 1, maxBatch)
	count("slow", o.Slow, 0, maxCount)
	count("churners", o.Churners, 0, maxCount)
	count("in-flight", o.InFlight, 1, maxInFlight)
	count("connecting", o.Connecting, 1, maxCount)
	count("frames-per-write", o.FramesPerWrite, 1, maxInFlight)
	count("runs", o.Runs, 1, 1000)
	check(o.Rate >= 0 && o.Rate <= maxRate, "--rate must be 0 to %.0f, not %g", float64(maxRate), o.Rate)
	check(len(o.URLs) <= maxServers, "--url may be given %d times, not %d", maxServers, len(o.URLs))
	for i, pid := range o.PIDs {
		check(pid > 0 && !slices.Contains(o.PIDs[:i], pid), "--pid must be the id of a process, each once, not %d", pid)
	}
	length("warmup", o.Warmup, 0)
	length("duration", o.Duration, time.Millisecond)
	length("settle", o.Settle, 0)
	length("timeout", o.Timeout, time.Millisecond)
	return errors.Join(faults...)
}

func (o *Options) progress(format string, args ...any) {
	if o.Progress != nil {
		_, _ = fmt.Fprintf(o.Progress, format+"\n", args...) // nobody reads it: no reason to stop
	}
}
