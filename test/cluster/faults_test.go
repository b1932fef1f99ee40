package cluster

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

// fault is something that goes wrong, and is well again in the end.
type fault struct {
	name   string
	strike func(w *world)
	of     func(engines.Kind) bool // engines that have it; nil for all
}

func faults() []fault {
	external := func(kind engines.Kind) bool { return kind != engines.Embedded }
	replicated := func(kind engines.Kind) bool {
		return kind == engines.RedisSentinel || kind == engines.RedisReplicas || kind == engines.NATSCluster
	}
	return []fault{
		{"a node is killed", killNode, nil},
		{"a node stops and goes on", stopNode, nil},
		{"a node is cut off by resets", cutsOff(engines.Reset), nil},
		{"a node is cut off by silence", cutsOff(engines.BlackHole), nil},
		{"a node hears nothing", cutsOff(engines.Deaf), nil},
		{"nobody hears a node", cutsOff(engines.Dumb), nil},
		{"the engine is slow", slowEngine, nil},
		{"the engine restarts empty", restartEngine, external},
		{"the engine fails over", failOver, replicated},
		{"clocks jump", jumpClocks, nil},
		{"a node is started twice", startTwice, nil},
		{"all nodes are restarted in turns", rollingRestart, nil},
	}
}

// others returns the nodes but one.
func (w *world) others(n *node) []*node {
	return slices.DeleteFunc(slices.Clone(w.nodes), func(o *node) bool { return o == n })
}

// survivorsAgree requires that those who can see each other forget the others.
func (w *world) survivorsAgree(survivors []*node) {
	w.t.Helper()
	w.eventually("members equal at the others", func() []string { return w.divergence(survivors) })
}

func killNode(w *world) {
	n := w.nodes[2]
	n.is(broken)
	n.kill(w.t)
	w.survivorsAgree(w.others(n))
	n.start(w.t)
}

func stopNode(w *world) {
	n := w.nodes[1]
	n.is(broken)
	begin := time.Now()
	n.signal(w.t, syscall.SIGSTOP)
	w.survivorsAgree(w.others(n))
	pause(w.t.Context(), form.lasting-time.Since(begin))
	n.signal(w.t, syscall.SIGCONT)
}

// cutsOff cuts a node off. It goes on for its own clients, and says that it is
// alone.
func cutsOff(f engines.Fault) func(*world) {
	return func(w *world) {
		n := w.nodes[0]
		n.is(cutOff)
		begin := time.Now()
		w.sever(n, f)
		if w.engine.Kind != engines.Embedded || f != engines.Deaf { // else the others hear that it is well
			w.survivorsAgree(w.others(n))
		}
		w.eventually("the node says that it is alone", func() []string {
			if ready := w.ops(n.alive(w.t).Ops + "/ready"); !strings.Contains(ready, "cluster") {
				return []string{ready}
			}
			return nil
		})
		pause(w.t.Context(), form.lasting-time.Since(begin))
		w.sever(n, engines.Fault{})
	}
}

// slowEngine requires that backends wait for a bounded time, and that what needs
// nothing but the own node does not wait at all.
func slowEngine(w *world) {
	const most, local = 4 * time.Second, 250 * time.Millisecond // on a machine that does much else
	for _, p := range w.publishers {
		p.slowest()
	}
	for _, l := range w.listeners {
		l.times()
	}
	for _, proxy := range w.proxies() {
		proxy.Set(engines.Fault{Delay: 500 * time.Millisecond})
	}
	w.last()
	for _, p := range w.publishers {
		if slowest := p.slowest(); slowest > most {
			w.t.Errorf("an event of %s took %v", p.name, slowest)
		}
	}
	var took []time.Duration
	for _, l := range w.listeners {
		took = append(took, l.times()...)
	}
	slices.Sort(took)
	if len(took) == 0 || took[len(took)*9/10] > local {
		w.t.Errorf("from client to client of one node, nine of ten times: want less than %v, took %v", local, took)
	}
	for _, proxy := range w.proxies() {
		proxy.Set(engines.Fault{})
	}
}

// restartEngine kills all servers of the engine, which have kept nothing.
func restartEngine(w *world) {
	for _, server := range w.engine.Servers {
		server.Kill()
	}
	pause(w.t.Context(), time.Second)
	for _, server := range w.engine.Servers {
		if err := server.Start(); err != nil {
			w.t.Fatal(err)
		}
	}
}

// failOver kills the server that has a stand-in, and starts it again later.
func failOver(w *world) {
	server := w.engine.Servers[0]
	server.Kill()
	w.last()
	w.eventually("joined over another server", w.apart)
	if err := server.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.last()
}

// startTwice starts a node a second time. On an engine that is one node more,
// whatever its name; an embedded one finds its port taken.
func startTwice(w *world) {
	process, err := testkit.StartServer(program, w.t.TempDir(), w.nodes[1].yaml)
	if w.engine.Kind == engines.Embedded {
		w.endsOnATakenPort(process, err)
		w.last()
		return
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.eventually("the node beside its twin agrees", func() []string {
		users, err := w.usersAt(process.Public)
		if err != nil {
			return []string{err.Error()}
		}
		for user := range users {
			if strings.HasPrefix(user, "v-") {
				delete(users, user)
			}
		}
		return differences("the twin says", users, w.there(w.nodes))
	})
	w.last()
	if err := process.Stop(); err != nil {
		w.t.Error(err)
	}
}

// endsOnATakenPort requires that a process ends, before it is ready or soon after
// that, and says why.
func (w *world) endsOnATakenPort(process *testkit.Server, err error) {
	w.t.Helper()
	text := fmt.Sprint(err)
	if err == nil {
		w.eventually("the process on a port that is taken has ended", func() []string {
			select {
			case <-process.Ended():
				return nil
			default:
				return []string{"it runs"}
			}
		})
		process.Kill()
		text = process.Stderr.String()
	}
	if !strings.Contains(text, "address already in use") {
		w.t.Errorf("a node on a port that is taken says %s", text)
	}
}

// rollingRestart is an update: each node ends in order and starts again.
func rollingRestart(w *world) {
	for _, n := range w.nodes {
		n.is(broken)
		n.stop(w.t)
		n.start(w.t)
		w.eventually(n.name+" is back", w.apart)
		w.eventually("members equal after "+n.name, func() []string { return w.divergence(w.nodes) })
		n.is(well)
	}
}
