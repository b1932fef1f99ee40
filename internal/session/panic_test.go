package session

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

const bugText = "a bug in writing"

// brokenConn is the network connection of an occupant, with a bug.
type brokenConn struct {
	net.Conn
	of *occupant
}

func (brokenConn) Write([]byte) (int, error) { panic(bugText) }

func (c brokenConn) Close() error {
	c.of.shutdown()
	return nil
}

// A bug in writing to one connection ends that connection: the others get the
// event and those after it, and the log has the stack, once.
func TestPanicInWritingEndsOneConnection(t *testing.T) {
	const message = `{"event":"client-e","channel":"private-room","data":1}`
	for _, tt := range []struct {
		where hub.PanicPlace
		name  string
		spoil func(*occupant)
		bring func(*occupant) // what brings the bug out, after the delivery
	}{
		{hub.PanicInDelivery, "at once", func(m *occupant) { m.broken = bugText }, func(*occupant) {}},
		{hub.PanicInFlush, "in a loop that flushes", func(m *occupant) { m.full = true }, func(m *occupant) {
			m.full, m.broken = false, bugText
			m.session.out.Flush()
		}},
		{hub.PanicInFlush, "in a goroutine that flushes", func(m *occupant) {
			m.session.out.line = &blockingLine{conn: brokenConn{of: m}, out: m.session.out}
		}, func(m *occupant) { awaitGone(m.session.out) }},
	} {
		for _, members := range []int{10, 100, 1500} { // a round of the sender's, of a goroutine's, of several
			t.Run(fmt.Sprintf("%s, %d members", tt.name, members), func(t *testing.T) {
				var log testkit.LogCapture
				r := newRoom(t, "private-room", members, log.Logger(), nil)
				victim := r.members[5]
				tt.spoil(victim)
				r.members[0].receive([]byte(message))
				r.turn.End()
				r.await(members - 2)
				tt.bring(victim)
				testkit.WaitFor(t, victim.ended.Load, "the end of the connection")
				victim.receive(nil)
				victim.receive(nil)

				lines := log.Find("session panicked")
				if len(lines) != 1 {
					t.Fatalf("%d lines in the log: %s", len(lines), log.String())
				}
				attrs := lines[0].Attrs
				if attrs["where"] != string(tt.where) || attrs["panic"] != bugText || !strings.Contains(attrs["stack"], "session.") {
					t.Errorf("logged %v", attrs)
				}
				if n := panics(t, r.hub)[string(tt.where)]; n != 1 {
					t.Errorf("%v panics counted", n)
				}
				if info := r.hub.Channel(r.app, "private-room"); info.Subscriptions != members-1 {
					t.Errorf("%d subscriptions are left", info.Subscriptions)
				}
				r.members[0].receive([]byte(message))
				r.turn.End()
				r.await(members - 2)
			})
		}
	}
}

// panics returns what the hub has counted, by place.
func panics(t *testing.T, h *hub.Hub) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(h); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]float64)
	for _, f := range families {
		if f.GetName() != "pipesocketd_panics_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "where" {
					counts[l.GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
	}
	return counts
}
