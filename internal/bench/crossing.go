package bench

// crossing tells deliveries between servers from those within one. It is touched
// only inside the engine; nil where there is one server.
type crossing struct {
	within, between latency
}

func newCrossing(servers int) *crossing {
	if servers < 2 {
		return nil
	}
	return &crossing{within: newLatency(), between: newLatency()}
}

// add notes the time of a delivery.
func (x *crossing) add(nanoseconds int64, crossed bool) {
	if crossed {
		x.between.add(nanoseconds)
	} else {
		x.within.add(nanoseconds)
	}
}

// crossingFigures tells how much went from one server to another, and what that
// added to the median: both kinds of deliveries are of the same events.
func (r *run) crossingFigures(x *crossing, w window) {
	if x == nil || w.deliveries() == 0 {
		return
	}
	res, crossed := r.result, float64(w.to.counts.crossed-w.from.counts.crossed)
	res.add("deliveries between servers per second", "1/s", crossed/w.seconds(), Higher)
	res.add("share of deliveries between servers", "%", 100*crossed/float64(w.deliveries()), "")
	res.Figures = append(res.Figures, x.within.figures("latency within a server")...)
	res.Figures = append(res.Figures, x.between.figures("latency between servers")...)
	if x.within.count() > 0 && x.between.count() > 0 {
		res.add("added between servers to p50", "ms", x.between.figure("", 50).Value-x.within.figure("", 50).Value, Lower)
	}
}
