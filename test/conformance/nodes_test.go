package conformance

import (
	"fmt"
	"testing"
)

// TestNodes uses nodes by their own addresses, each with each. In runs without an
// engine there is one.
func TestNodes(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-223 an event triggered on one node reaches subscribers on all nodes", eventsBetweenNodes},
		{"P-223 a client event on one node reaches subscribers on all nodes", clientEventsBetweenNodes},
		{"members of one node are in the snapshot of another at once", membersBetweenNodes},
		{"what one node has cached another has at once", cachesBetweenNodes},
		{"a user of one node is terminated by another", terminatedBetweenNodes},
	})
}

// each returns a server for each node, which shares its processes with s.
func (s *server) each() []*server {
	var all []*server
	for _, node := range s.nodes {
		all = append(all, &server{public: node.Public, ops: node.Ops, http: s.http, nodes: s.nodes})
	}
	return all
}

func eventsBetweenNodes(t *testing.T) {
	nodes := shared(t).each()
	for _, prefix := range []string{"x-", "private-", "presence-", "cache-"} {
		channel := unique(prefix)
		var subscribers []*client
		for i, node := range nodes {
			c := connect(t, node, plain)
			switch prefix {
			case "presence-":
				c.joinAs(t, channel, fmt.Sprint(i))
				for _, before := range subscribers {
					before.expectAdded(t, channel, fmt.Sprint(i), "null")
				}
			case "cache-":
				c.subscribe(t, channel)
				c.expectMiss(t, channel)
			default:
				c.subscribe(t, channel)
			}
			subscribers = append(subscribers, c)
		}
		for i, node := range nodes {
			node.api(plain).trigger(t, channel, "e", fmt.Sprint(i))
			node.api(plain).triggerExcept(t, channel, "but the first", fmt.Sprint(i), subscribers[0].socketID)
			for j, c := range subscribers {
				c.expectEvent(t, "e", channel, fmt.Sprint(i))
				if j > 0 {
					c.expectEvent(t, "but the first", channel, fmt.Sprint(i))
				}
			}
		}
	}
}

func clientEventsBetweenNodes(t *testing.T) {
	nodes := shared(t).each()
	channel := unique("private-")
	var subscribers []*client
	for _, node := range append(nodes, nodes...) {
		c := connect(t, node, talkative)
		c.subscribe(t, channel)
		subscribers = append(subscribers, c)
	}
	for i, sender := range subscribers {
		sender.clientEvent(t, "client-x", channel, fmt.Sprint(i))
		for _, c := range subscribers {
			if c != sender {
				c.expectEvent(t, "client-x", channel, fmt.Sprint(i))
			}
		}
	}
}

func membersBetweenNodes(t *testing.T) {
	nodes := shared(t).each()
	for range 10 {
		channel := unique("presence-")
		for i, node := range nodes {
			f := connect(t, node, plain).joinAs(t, channel, fmt.Sprint(i))
			if got := snapshot(t, f).Count; got != i+1 {
				t.Fatalf("member %d sees %d members", i, got)
			}
			for _, other := range nodes {
				want := fmt.Sprintf(`{"occupied":true,"user_count":%d}`, i+1)
				other.api(plain).get(t, "/channels/"+channel, "info=user_count").ok(t, want)
			}
		}
	}
}

func cachesBetweenNodes(t *testing.T) {
	nodes := shared(t).each()
	for range 5 {
		channel := unique("cache-")
		for i, node := range nodes {
			node.api(plain).trigger(t, channel, "e", fmt.Sprint(i))
			for _, other := range nodes {
				c := connect(t, other, plain)
				c.subscribe(t, channel)
				c.expectEvent(t, "e", channel, fmt.Sprint(i))
				c.leave(t)
			}
		}
	}
}

func terminatedBetweenNodes(t *testing.T) {
	nodes := shared(t).each()
	for i, node := range nodes {
		user := unique("u-")
		c := connect(t, nodes[(i+1)%len(nodes)], plain)
		c.signin(t, `{"id":"`+user+`"}`)
		node.api(plain).terminate(t, user)
		c.expectTerminated(t)
	}
}
