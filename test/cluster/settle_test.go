package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// lastMoments is how many edges a node may have told in the last moments before it failed,
// so that nobody knows of it and the next one tells them again.
const lastMoments = 3

// settle requires that all is well again within the bound, and that what happened
// since the last time was right.
func (w *world) settle(after string) {
	w.t.Helper()
	w.eventually("joined after "+after, w.apart)
	w.gate.shut()
	defer w.gate.open()
	w.eventually("members equal after "+after, func() []string { return w.divergence(w.nodes) })
	lost := 0
	w.eventually("nothing lost in "+after, func() (problems []string) {
		problems, lost = w.missing()
		return problems
	})
	var visits []visit
	for _, v := range w.visitors {
		visits = append(visits, v.past()...)
	}
	w.eventually("webhooks told in "+after, func() []string { return append(w.untold(), w.neverTold(visits)...) })
	if lost > 0 {
		w.t.Logf("%d events did not come from or to nodes that were not well", lost)
	}
	w.complain(visits)
	for _, n := range w.nodes {
		n.alive(w.t)
		n.is(well)
	}
}

// apart returns the nodes that do not run, are not ready, or do not know the others.
func (w *world) apart() (problems []string) {
	for _, n := range w.nodes {
		process, _ := n.now()
		if process == nil {
			problems = append(problems, n.name+" does not run")
			continue
		}
		if ready := w.ops(process.Ops + "/ready"); !strings.HasPrefix(ready, "200 ") {
			problems = append(problems, n.name+" is not ready: "+ready)
		}
		if metrics := w.ops(process.Ops + "/metrics"); !strings.Contains(metrics, fmt.Sprintf("\npipesocketd_cluster_nodes %d\n", len(w.nodes))) {
			problems = append(problems, n.name+" does not know the others: "+line(metrics, "pipesocketd_cluster_nodes "))
		}
	}
	return problems
}

func line(text, prefix string) string {
	for l := range strings.Lines(text) {
		if strings.HasPrefix(l, prefix) {
			return strings.TrimSpace(l)
		}
	}
	return "no " + prefix
}

// ops returns status and body of what an operations listener answers.
func (w *world) ops(url string) string {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	response, err := w.backend.http.Do(request)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", response.StatusCode, body)
}

// missing returns what listeners should have heard and have not, and how much they
// have not heard although that can be excused: of nodes, or on nodes, that did not
// run all the time. What a node that is cut off has taken or missed comes later.
func (w *world) missing() (problems []string, excused int) {
	lost := make(map[string][]int)
	for _, l := range w.listeners {
		v, connected := l.view()
		if !connected {
			continue
		}
		for _, p := range w.publishers {
			numbers, fine := p.unheard(l, v)
			way := p.name + " to listeners of " + l.node.name
			if len(numbers) > 0 {
				lost[way] = append(lost[way], numbers...)
			}
			excused += fine
		}
	}
	for way, numbers := range lost {
		slices.Sort(numbers)
		distinct := slices.Compact(slices.Clone(numbers))
		problems = append(problems, fmt.Sprintf("%s: %d times not heard, %d events from %d to %d",
			way, len(numbers), len(distinct), distinct[0], distinct[len(distinct)-1]))
	}
	slices.Sort(problems)
	return problems, excused
}

// unheard returns what of this publisher's a listener has not heard.
func (p *publisher) unheard(l *listener, v view) (lost []int, excused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.log {
		if e.channel != l.channel || !e.at.After(v.since) || v.heard[stream{p.name, e.channel}][e.n] {
			continue
		}
		if max(e.state, p.node.condition(), l.node.condition()) < broken {
			lost = append(lost, e.n)
		} else {
			excused++
		}
	}
	return lost, excused
}

// untold returns where webhooks differ from what is so.
func (w *world) untold() []string {
	want := map[string]bool{room: true}
	for user := range w.there(w.nodes) {
		want[memberOf(user)] = true
	}
	for channel := range eventChannels {
		want[eventChannel(channel)] = true
	}
	return differences("webhooks", w.receiver.on(), want)
}

// complain reports what clients and webhooks have seen that may not be, and begins
// anew.
func (w *world) complain(visits []visit) {
	w.t.Helper()
	for _, l := range w.listeners {
		for _, fault := range l.complaints() {
			w.t.Errorf("%s: %s", l.user, fault)
		}
		l.forget()
	}
	events := 0
	for _, p := range w.publishers {
		p.mu.Lock()
		events += len(p.log)
		p.log = nil
		p.mu.Unlock()
	}
	// Visits to a node that was not well may be told twice: it told, and then could not say so.
	excused, healthy := make(map[string]bool), 0
	for _, v := range visits {
		if v.healthy {
			healthy++
		} else {
			excused[memberOf(v.user)], excused[own(v.user)] = true, true
		}
	}
	repeated, faults := w.receiver.repeated(excused)
	if len(repeated) > 0 && len(repeated) <= lastMoments {
		w.t.Logf("told again: %s", strings.Join(repeated, "\n"))
	}
	if len(repeated) > lastMoments {
		w.t.Errorf("webhooks told %d edges twice in a row:\n%s", len(repeated), strings.Join(repeated[:min(len(repeated), 5)], "\n"))
	}
	for _, fault := range faults {
		w.t.Error(fault)
	}
	w.t.Logf("%d events, %d visits to nodes that were well", events, healthy)
	if events == 0 || healthy == 0 {
		w.t.Error("nothing happened")
	}
}

// neverTold returns which visits, and their channels, webhooks do not know to have begun
// or to have ended. Of what was wrong with the visitor's own node nothing is asked.
func (w *world) neverTold(visits []visit) (lost []string) {
	for _, v := range visits {
		if !v.healthy {
			continue
		}
		for _, about := range []string{memberOf(v.user), own(v.user)} {
			if on, off := w.receiver.told(about); on == 0 || off == 0 {
				lost = append(lost, fmt.Sprintf("%s: told %d times to be on, %d times off", about, on, off))
			}
		}
	}
	return lost
}
