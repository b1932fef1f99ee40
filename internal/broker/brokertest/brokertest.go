package brokertest

import (
	"context"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// Setup is what the engines of one test go through.
type Setup struct {
	// New makes another engine of the same cluster; its Run has not been called.
	New func(t testing.TB) broker.Engine

	// Stop takes the servers away at once, with all they hold, and Start brings
	// empty ones back under the same addresses. Both nil: there are no servers.
	Stop, Start func()

	// Freeze makes the servers hang with their connections, and Thaw ends that. Both
	// nil: nothing can hang. A test thaws what it has frozen.
	Freeze, Thaw func()
}

// limit is how long a test gives an engine for one step, generously: only an
// engine that is broken needs it.
const limit = 20 * time.Second

// TestEngine runs every test, each with a setup of its own.
func TestEngine(t *testing.T, setup func(t *testing.T) Setup) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Setup)
	}{
		{"says the same of lanes at every node", testLanes},
		{"describes itself", testDescription},
		{"does nothing before it is up", testBeforeUp},
		{"tells subjects apart", testSubjects},
		{"carries every legal name", testNames},
		{"gives nothing of what is not subscribed", testUnsubscribed},
		{"has a subscription in force when Do returns", testInForce},
		{"keeps the order of a lane", testOrder},
		{"carries large, empty and binary messages", testMessages},
		{"hands messages over", testOwnership},
		{"fences", testFence},
		{"takes Do and Fence at once", testConcurrent},
		{"subscribes twenty thousand channels", testManySubscriptions},
		{"minds the context of Do", testContext},
		{"reconnects when told to", testReconnect},
		{"comes back with empty servers", testRestart},
		{"returns by the deadline when servers hang", testFrozen},
		{"ends while it cannot connect", testEndWhileDown},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, setup(t)) })
	}
}

func all() broker.Subject { return broker.Subject{Kind: broker.ToAll} }

func nodeSubject(id broker.NodeID) broker.Subject {
	return broker.Subject{Kind: broker.ToNode, Node: id}
}

func channel(app, name string) broker.Subject {
	return broker.Subject{Kind: broker.ToChannel, App: app, Channel: name}
}

func subscribe(subjects ...broker.Subject) []broker.Command {
	return commands(broker.Subscribe, subjects)
}

func unsubscribe(subjects ...broker.Subject) []broker.Command {
	return commands(broker.Unsubscribe, subjects)
}

func commands(op broker.Op, subjects []broker.Subject) []broker.Command {
	list := make([]broker.Command, len(subjects))
	for i, s := range subjects {
		list[i] = broker.Command{Op: op, Subject: s}
	}
	return list
}

func publish(s broker.Subject, messages ...string) []broker.Command {
	list := make([]broker.Command, len(messages))
	for i, m := range messages {
		list[i] = broker.Command{Op: broker.Publish, Subject: s, Message: []byte(m)}
	}
	return list
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
