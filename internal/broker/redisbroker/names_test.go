package redisbroker

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

func TestNames(t *testing.T) {
	node := broker.Subject{Kind: broker.ToNode, Node: 0xab}
	channel := broker.Subject{Kind: broker.ToChannel, App: "a:b", Channel: "room;1"}
	for _, test := range []struct {
		subject    broker.Subject
		plain      string
		inACluster string
	}{
		{broker.Subject{}, "p:all", "p:{p}:all"},
		{node, "p:node:00000000000000ab", "p:{p}:node:00000000000000ab"},
		{channel, "p:ch:a%3Ab:room;1", fmt.Sprintf("p:{%s}:ch:a%%3Ab:room;1", tags[lane(channel)])},
	} {
		for cluster, want := range map[bool]string{false: test.plain, true: test.inACluster} {
			n := namer{prefix: "p", cluster: cluster}
			if got := string(n.append(nil, test.subject, lane(test.subject))); got != want {
				t.Errorf("%+v, cluster %v: got %q, want %q", test.subject, cluster, got, want)
			}
		}
	}
}

func TestEscapedApps(t *testing.T) {
	seen := make(map[string]string)
	for _, app := range []string{"a", "A", "a:b", "a%3Ab", "%", "%25", "", "{a}", "a b", "\x00", "\xff", "ü", "-_."} {
		got := string(appendEscaped(nil, app))
		if other, twice := seen[got]; twice {
			t.Errorf("%q and %q are both %q", app, other, got)
		}
		if strings.ContainsAny(got, ":{} \x00") {
			t.Errorf("%q is %q", app, got)
		}
		seen[got] = app
	}
}

func TestSlotOf(t *testing.T) {
	for tag, want := range map[string]int{"123456789": 0x31C3, "foo": 12182, "": 0} { // from the specification of Redis Cluster
		if got := slotOf(tag); got != want {
			t.Errorf("%q: slot %d, want %d", tag, got, want)
		}
	}
}

// Nodes of several releases share a cluster: the tags must stay as they are.
func TestTags(t *testing.T) {
	if got := strings.Join(tags[1:9], " "); got != "14 100 117 342 29 21 7 122" {
		t.Errorf("the first tags are %s", got)
	}
	for masters := 1; masters <= 16; masters++ {
		count := make([]int, masters)
		for _, tag := range tags[1:] {
			count[slotOf(tag)*masters/slots]++
		}
		if least, most := slices.Min(count), slices.Max(count); most-least > 2 {
			t.Errorf("with %d masters, one has %d lanes and another %d", masters, least, most)
		}
	}
}

func TestLaneSpread(t *testing.T) {
	const channels = 64_000
	for _, form := range []string{"room-%d", "private-user.%d", "presence-%d-x", "%016x"} {
		var count [1 + channelLanes]int
		for i := range channels {
			count[lane(broker.Subject{Kind: broker.ToChannel, App: "app", Channel: fmt.Sprintf(form, i)})]++
		}
		for l, n := range count[1:] {
			if math.Abs(float64(n)-1000) > 200 { // six standard deviations of chance
				t.Errorf("%s: lane %d has %d of %d channels", form, l+1, n, channels)
			}
		}
	}
}

// The lane of a channel is part of what nodes agree on.
func TestLaneStays(t *testing.T) {
	for channel, want := range map[string]int{"room": 15, "private-a": 27, "presence-b": 31} {
		if got := lane(broker.Subject{Kind: broker.ToChannel, App: "app", Channel: channel}); got != want {
			t.Errorf("%s is on lane %d, want %d", channel, got, want)
		}
	}
}
