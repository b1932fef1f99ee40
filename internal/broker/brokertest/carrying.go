package brokertest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func testLanes(t *testing.T, s Setup) {
	a, b := s.New(t), s.New(t)
	subjects := []broker.Subject{all(), nodeSubject(1), nodeSubject(^broker.NodeID(0))}
	for i := range 1000 {
		subjects = append(subjects, channel(fmt.Sprintf("app-%d", i%7), fmt.Sprintf("room-%d", i)))
	}
	if a.Lanes() < 1 || a.Lanes() != b.Lanes() {
		t.Fatalf("%d lanes at one node, %d at another", a.Lanes(), b.Lanes())
	}
	for _, subject := range subjects {
		lane := a.Lane(subject)
		if lane < 0 || lane >= a.Lanes() || lane != b.Lane(subject) {
			t.Errorf("%v: lane %d of %d at one node, %d at another", subject, lane, a.Lanes(), b.Lane(subject))
		}
		if subject.Kind != broker.ToChannel && lane != 0 {
			t.Errorf("%v: lane %d, want 0", subject, lane)
		}
	}
}

func testDescription(t *testing.T, s Setup) {
	n := start(t, s, 1)[0]
	d := n.engine.Describe()
	if d.Engine == "" || !slices.IsSorted(d.Servers) {
		t.Errorf("got %+v, want an engine and sorted servers", d)
	}
}

func testSubjects(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	subjects := []broker.Subject{
		all(), nodeSubject(1), nodeSubject(2),
		channel("1", "room"), channel("1", "Room"), channel("2", "room"), channel("12", "room"), channel("1", "2room"),
		channel("a", "b.c"), channel("a.b", "c"), channel("a:b", "c"), channel("a", "b"), channel("A", "b"),
		channel("all", "all"), channel("node", "0000000000000001"), channel("%41", "b"), channel("a%3Ab", "c"),
	}
	to.subscribe(nodes[:1], subjects...)
	var want []string
	for _, subject := range subjects {
		want = append(want, fmt.Sprintf("to %+v", subject))
		from.do(publish(subject, want[len(want)-1]))
	}
	if got := to.settled(from); !sameSet(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
	// Now only the even ones, so that each message shows which subject it came on.
	var gone []broker.Subject
	for i := 1; i < len(subjects); i += 2 {
		gone = append(gone, subjects[i])
	}
	to.do(unsubscribe(gone...))
	to.clear()
	want = nil
	for i, subject := range subjects {
		text := fmt.Sprintf("again to %+v", subject)
		from.do(publish(subject, text))
		if i%2 == 0 {
			want = append(want, text)
		}
	}
	testkit.WaitFor(t, func() bool { return len(to.received()) >= len(want) }, "the subscribed ones")
	if !to.engine.Mesh() {
		to.fence()
		if got := to.received(); !sameSet(got, want) {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

func testNames(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	channels := []string{".", "..", "...", ".a", "a.", "a..b", "-", "_", "=", "@", ",", ";", "a;b,c=d@e", "#server-to-user-x", strings.Repeat("z", 200)}
	for c := range byte(128) {
		if strings.IndexByte("-_=@,.;", c) >= 0 || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			channels = append(channels, "c"+string(rune(c))+"c")
		}
	}
	apps := []string{"1", "..", ".", "*", ">", "a b", "a\tb", "a\r\nb", "{x}", "}{", "ü", "\xff\xfe", "\x00", "%", strings.Repeat("A", 200), strings.Repeat("\xff", 200)}
	var subjects []broker.Subject
	for _, name := range channels {
		subjects = append(subjects, channel("1", name))
	}
	for _, app := range apps {
		subjects = append(subjects, channel(app, "c"))
	}
	subjects = slices.Compact(subjects)
	to.subscribe(nodes[:1], subjects...)
	var want []string
	var list []broker.Command
	for i, subject := range subjects {
		want = append(want, fmt.Sprint(i))
		list = append(list, publish(subject, want[i])...)
	}
	from.do(list)
	if got := to.settled(from); !sameSet(got, want) {
		t.Errorf("received %q, want %q", got, want)
	}
}

func testUnsubscribed(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	room := channel("1", "room")
	from.do(publish(room, "before"))
	to.fence()
	to.subscribe(nodes[:1], room)
	from.do(publish(room, "during"))
	if got := to.settled(from); !slices.Equal(got, []string{"during"}) {
		t.Fatalf("received %q", got)
	}
	to.do(unsubscribe(room))
	to.fence()
	if to.engine.Mesh() {
		// The other server hears of it later; what a node takes no part in any more has
		// to end nevertheless.
		testkit.WaitFor(t, func() bool {
			to.clear()
			from.do(publish(room, "after"))
			return len(to.settled(from)) == 0
		}, "messages to end")
		return
	}
	from.do(publish(room, "after"))
	if got := to.settled(from); !slices.Equal(got, []string{"during"}) {
		t.Errorf("received %q after the subscription ended", got)
	}
	// Twice is once, and unsubscribing what is not subscribed is nothing.
	to.do(unsubscribe(room), subscribe(room, room), unsubscribe(room))
	from.do(publish(room, "after all"))
	if got := to.settled(from); !slices.Equal(got, []string{"during"}) {
		t.Errorf("received %q after the subscription ended", got)
	}
}

func testInForce(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	sender := from
	if from.engine.Mesh() {
		sender = to // on this node's side of the engine: its own messages
	}
	var want []string
	for i := range 300 {
		room := channel("1", fmt.Sprintf("room-%d", i))
		want = append(want, fmt.Sprint(i))
		to.do(subscribe(room))
		sender.do(publish(room, want[i]))
	}
	got := to.settled(sender)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("received %d of %d messages sent right after the subscription", len(got), len(want))
	}
}

func testOrder(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from := nodes[0]
	subjects := []broker.Subject{all(), nodeSubject(7)}
	for i := range 40 {
		subjects = append(subjects, channel("1", fmt.Sprintf("room-%d", i)))
	}
	for _, to := range nodes {
		to.subscribe(nodes[:1], subjects...)
	}
	const count = 4000
	random := rand.New(rand.NewPCG(1, 2))
	sent := make([][]string, from.engine.Lanes())
	var batch []broker.Command
	for i := range count {
		subject := subjects[random.IntN(len(subjects))]
		lane := from.engine.Lane(subject)
		text := fmt.Sprintf("%d:%d", lane, i)
		sent[lane] = append(sent[lane], text)
		batch = append(batch, publish(subject, text)...)
		if random.IntN(40) == 0 || i == count-1 {
			from.do(batch)
			batch = nil
		}
	}
	for who, to := range nodes {
		got := make([][]string, len(sent))
		for _, text := range to.settled(from) {
			var lane int
			if _, err := fmt.Sscanf(text, "%d:", &lane); err != nil {
				t.Fatalf("received %q", text)
			}
			got[lane] = append(got[lane], text)
		}
		for lane := range sent {
			if !slices.Equal(got[lane], sent[lane]) {
				t.Errorf("node %d, lane %d: received %d messages %.200q, want %d %.200q", who, lane, len(got[lane]), got[lane], len(sent[lane]), sent[lane])
			}
		}
	}
}

func testMessages(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	room := channel("1", "room")
	to.subscribe(nodes[:1], room)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	want := []string{"", "\r\n", "$5\r\nhello\r\n", string(every), strings.Repeat("x", 1<<20), "after"}
	for _, m := range want {
		from.do(publish(room, m))
	}
	to.await(want...)
}

func testOwnership(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	room := channel("1", "room")
	to.subscribe(nodes[:1], room)
	to.clear()
	const count = 500
	buffer := make([]byte, 64)
	for i := range count {
		copy(buffer, fmt.Sprintf("%063d", i))
		buffer[63] = '.'
		from.do([]broker.Command{{Op: broker.Publish, Subject: room, Message: buffer}})
		for j := range buffer { // it is the sender's again
			buffer[j] = '!'
		}
	}
	testkit.WaitFor(t, func() bool { return len(to.received()) == count }, "all messages")
	to.mu.Lock()
	defer to.mu.Unlock()
	for i, m := range to.messages {
		if want := fmt.Sprintf("%063d.", i); string(m) != want {
			t.Fatalf("message %d is %q, want %q", i, m, want)
		}
		for j := range m { // it is the receiver's
			m[j] = '?'
		}
		_ = append(m[:len(m):cap(m)], bytes.Repeat([]byte{'?'}, cap(m)-len(m))...)
	}
}

func testFence(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	if to.engine.Mesh() {
		from = to // what has reached this node's server
	}
	var rooms []broker.Subject
	for i := range 100 {
		rooms = append(rooms, channel("1", fmt.Sprintf("room-%d", i)))
	}
	to.do(subscribe(rooms...))
	want := 0
	for round := range 50 {
		var list []broker.Command
		for _, room := range rooms {
			list = append(list, publish(room, fmt.Sprint(round))...)
		}
		from.do(list)
		to.fence()
		want += len(list)
		if got := len(to.received()); got != want {
			t.Fatalf("round %d: %d messages had come when the fence returned, want %d", round, got, want)
		}
	}
}

func testConcurrent(t *testing.T, s Setup) {
	n := start(t, s, 1)[0]
	room := channel("1", "room")
	n.do(subscribe(room))
	const rounds = 300
	var both sync.WaitGroup
	both.Go(func() {
		for i := range rounds {
			list := publish(room, "a", "b", "c")
			list = append(list, subscribe(channel("1", fmt.Sprintf("room-%d", i)))...)
			if err := n.engine.Do(within(t, limit), list); err != nil {
				t.Errorf("Do: %v", err)
				return
			}
		}
	})
	both.Go(func() {
		for range rounds {
			if err := n.engine.Fence(within(t, limit)); err != nil {
				t.Errorf("Fence: %v", err)
				return
			}
		}
	})
	both.Wait()
	n.fence()
	if got := len(n.received()); got != 3*rounds {
		t.Errorf("received %d messages, want %d", got, 3*rounds)
	}
}

func testManySubscriptions(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	const count, batch = 20_000, 512
	rooms := make([]broker.Subject, count)
	for i := range rooms {
		rooms[i] = channel("1", fmt.Sprintf("presence-room-%d", i))
	}
	for part := range slices.Chunk(rooms, batch) {
		to.do(subscribe(part...))
	}
	to.subscribe([]*node{from}, rooms[count-1])
	to.clear()
	var want []string
	for i := 0; i < count; i += 97 {
		want = append(want, fmt.Sprint(i))
		to.subscribe([]*node{from}, rooms[i])
		from.do(publish(rooms[i], fmt.Sprint(i)))
	}
	if got := to.settled(from); !sameSet(got, want) {
		t.Errorf("received %d messages, want %d", len(got), len(want))
	}
	for part := range slices.Chunk(rooms, batch) {
		to.do(unsubscribe(part...))
	}
	to.fence()
}

// clear forgets what has come.
func (n *node) clear() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.messages = nil
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
