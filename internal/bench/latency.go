package bench

import (
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// maxLatency is the greatest time that is told apart from a greater one.
const maxLatency = 2 * time.Minute

// latency is a distribution of times, exact to a thousandth or a microsecond.
// Not for concurrent use.
type latency struct{ h *hdrhistogram.Histogram }

func newLatency() latency {
	return latency{hdrhistogram.New(1, maxLatency.Microseconds(), 3)}
}

// add notes a time in nanoseconds.
func (l latency) add(nanoseconds int64) {
	_ = l.h.RecordValue(min(max(nanoseconds/1000, 0), maxLatency.Microseconds())) // within bounds by now
}

func (l latency) count() int64 { return l.h.TotalCount() }

// figures are the usual percentiles and the greatest time, under names that
// begin with what was timed. There are none if nothing was.
func (l latency) figures(what string) (all []Figure) {
	if l.count() == 0 {
		return nil
	}
	for _, percentile := range []float64{50, 90, 99, 99.9} {
		all = append(all, l.figure(what, percentile))
	}
	return append(all, Figure{what + " max", "ms", float64(l.h.Max()) / 1000, Lower})
}

// figure is one percentile in milliseconds, 0 if nothing was timed.
func (l latency) figure(what string, percentile float64) Figure {
	name := what + " p" + strconv.FormatFloat(percentile, 'f', -1, 64)
	return Figure{name, "ms", float64(l.h.ValueAtQuantile(percentile)) / 1000, Lower}
}
