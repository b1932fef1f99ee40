package bench

import "fmt"

// cost adds what a window of deliveries cost the server and the generator.
// events is what the server was asked for in it, deliveries what came of them.
func (r *run) cost(w window, events float64) {
	res, deliveries := r.result, float64(w.deliveries())
	res.add(figureDeliveries, "1/s", deliveries/w.seconds(), Higher)
	res.add("events per second", "1/s", events/w.seconds(), Higher)
	if len(r.o.PIDs) > 0 && deliveries > 0 {
		res.add(figureCost, "s", w.cpu().Seconds()/deliveries*1e6, Lower)
		res.add("of it user", "s", w.user().Seconds()/deliveries*1e6, Lower)
		res.add("server CPU per million events", "s", w.cpu().Seconds()/events*1e6, Lower)
		res.add("server CPU", "cores", w.cpu().Seconds()/w.seconds(), "")
		res.add("server RSS", "MiB", float64(w.to.server.rss)/(1<<20), Lower)
		r.each(w, deliveries/1e6, "million deliveries")
	}
	if deliveries > 0 {
		res.add("generator CPU per million deliveries", "s", w.self().Seconds()/deliveries*1e6, "")
	}
	r.generator(w)
	res.add("received", "MiB/s", float64(w.to.fleet.received-w.from.fleet.received)/(1<<20)/w.seconds(), "")
	if deliveries == 0 {
		res.warn("nothing was delivered during the measurement")
	}
}

// each adds what every process cost by itself, if there are several: in all per
// unit, and how much memory it has.
func (r *run) each(w window, units float64, unit string) {
	if len(r.o.PIDs) < 2 || units <= 0 {
		return
	}
	for i, pid := range r.o.PIDs {
		process := fmt.Sprintf("process %d (%s)", i+1, processName(pid))
		r.result.add(process+" CPU per "+unit, "s", (w.to.each[i].cpu()-w.from.each[i].cpu()).Seconds()/units, Lower)
		r.result.add(process+" RSS", "MiB", float64(w.to.each[i].rss)/(1<<20), Lower)
	}
}

// Shares of time above which a figure tells more of the generator, or of the
// machine, than of the server.
const (
	busyEngine = 0.9
	busyCores  = 0.95
	busyOthers = 0.1 // of all cores
)

// generator adds the generator's own cost and warns if it was the bottleneck.
func (r *run) generator(w window) {
	res := r.result
	self := w.self().Seconds() / w.seconds()
	res.add("generator CPU", "cores", self, "")
	if w.to.waited >= 0 {
		busy := max(1-float64(w.to.waited-w.from.waited)/1e9/w.seconds(), 0)
		res.add("generator busy reading", "%", 100*busy, "")
		if busy > busyEngine {
			res.warn("the generator was busy reading %.0f %% of the time: rates and latencies show the generator, only the CPU figures the server", 100*busy)
		}
	}
	if _, known := machineCPU(); known && len(r.o.PIDs) > 0 {
		others := w.others().Seconds() / w.seconds()
		res.add("CPU of other processes", "cores", max(others, 0), "")
		if others > busyOthers*float64(machineCores()) {
			res.warn("other processes used %.1f cores meanwhile: rates and latencies show that too", others)
		}
	}
	total := self
	if len(r.o.PIDs) > 0 {
		total += w.cpu().Seconds() / w.seconds()
	}
	if cores := float64(machineCores()); total > busyCores*cores {
		res.warn("server and generator together used %.1f of %.0f cores: rates and latencies show the machine, only the CPU figures the server", total, cores)
	}
}

func (r *Result) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, fmt.Sprintf(format, args...))
}

// account fills in what the fleet and a run's deliveries come to, and warns of
// whatever did not arrive exactly once. It is called inside the engine.
func (r *run) account(f *fleet, c counts, sent, expected uint64) {
	a := &r.result.Accounting
	a.Refused, a.Closed = f.counts.refusals, f.counts.losses
	a.Received, a.Written = f.counts.received, f.counts.sent
	if a.Failure == "" {
		a.Failure = f.refusal + f.loss
	}
	a.Sent, a.Expected, a.Delivered = sent, expected, c.deliveries
	a.Lost = expected - min(expected, c.deliveries)
	a.Duplicated, a.Foreign = c.duplicates, c.foreign
	if !a.clean() {
		r.result.warn("not everything arrived exactly once: see the accounting")
	}
}
