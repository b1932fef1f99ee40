package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

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
	w.eventually("webhooks told in "+after, w.untold)
	if lost > 0 {
		w.t.Logf("%d events did not come from or to nodes that were not well", lost)
	}
	w.complain()
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
// have not heard although that can be excused: of nodes that are not well.
func (w *world) missing() (problems []string, excused int) {
	for _, l := range w.listeners {
		v, connected := l.view()
		if !connected {
			continue
		}
		for _, p := range w.publishers {
			lost, fine := p.unheard(l, v)
			problems = append(problems, lost...)
			excused += fine
		}
	}
	return problems, excused
}

// unheard returns what of this publisher's a listener has not heard.
func (p *publisher) unheard(l *listener, v view) (lost []string, excused int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.log {
		if e.channel != l.channel || !e.at.After(v.since) || v.heard[stream{p.name, e.channel}][e.n] {
			continue
		}
		worst := max(e.state, p.node.condition(), l.node.condition())
		if worst == well || worst == cutOff && p.node == l.node {
			lost = append(lost, fmt.Sprintf("%s has not heard %d of %s", l.user, e.n, p.name))
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
func (w *world) complain() {
	w.t.Helper()
	for _, l := range w.listeners {
		for _, fault := range l.complaints() {
			w.t.Errorf("%s: %s", l.user, fault)
		}
		l.forget()
	}
	visits := 0
	for _, v := range w.visitors {
		for _, visit := range v.past() {
			visits++
			w.checkTold(visit)
		}
	}
	events := 0
	for _, p := range w.publishers {
		p.mu.Lock()
		events += len(p.log)
		p.log = nil
		p.mu.Unlock()
	}
	repeated, faults := w.receiver.repeated()
	for _, fault := range slices.Concat(repeated, faults) {
		w.t.Errorf("webhooks: %s", fault)
	}
	w.t.Logf("%d events, %d visits", events, visits)
	if events == 0 || visits == 0 {
		w.t.Error("nothing happened")
	}
}

// checkTold requires that a visit was told to have begun and ended.
func (w *world) checkTold(v visit) {
	w.t.Helper()
	if !v.healthy {
		return
	}
	for _, about := range []string{memberOf(v.user), own(v.user)} {
		if on, off := w.receiver.told(about); on == 0 || off == 0 {
			w.t.Errorf("webhooks told %d times that %s is on and %d times that it is off", on, about, off)
		}
	}
}
