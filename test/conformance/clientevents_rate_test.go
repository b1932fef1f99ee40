package conformance

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestClientEventRate(t *testing.T) {
	prove(t, []statement{
		{"P-148 the eleventh event within a second is dropped", dropsBeyondRate},
		{"P-149 refused events consume no tokens", refusedEventsAreFree},
		{"P-150 the limit is per connection", limitsEachConnection},
	})
}

func dropsBeyondRate(t *testing.T) {
	const sent = 30
	channel := unique("private-")
	c := subscribed(t, shared(t), talkative, 2, channel)
	sender, receiver := c[0], c[1]

	begin := time.Now()
	for i := range sent {
		sender.clientEvent(t, "client-n", channel, strconv.Itoa(i))
	}
	delivered, refused := countRated(t, sender, receiver, sent)
	// Ten tokens at once and ten more for each second that this took.
	most := 10 + int(10*time.Since(begin).Seconds()) + 1
	if len(delivered) < 10 || len(delivered) > most {
		t.Errorf("%d events delivered and %d refused, want 10 to %d delivered", len(delivered), refused, most)
	}
	for i := range min(10, len(delivered)) {
		if delivered[i] != i {
			t.Errorf("events %v were delivered, want the first ten to be among them", delivered)
			break
		}
	}
	sender.expectNothing(t)
	worksAgain(t, sender, receiver, channel)
}

// countRated reads until each of the sent events was either delivered or
// refused by code 4301. It returns the delivered numbers in order.
func countRated(t *testing.T, sender, receiver *client, sent int) (delivered []int, refused int) {
	t.Helper()
	deadline := time.After(2 * patience)
	for len(delivered)+refused < sent {
		select {
		case got := <-receiver.in:
			n, err := strconv.Atoi(decode(t, got.text).text(t))
			if err != nil || got.err != nil {
				t.Fatalf("got %q: %v %v", got.text, err, got.err)
			}
			delivered = append(delivered, n)
		case got := <-sender.in:
			if got.err != nil {
				t.Fatalf("the sender's connection ended: %v", got.err)
			}
			if body := decode(t, got.text).errorBody(t); body != (errorBody{4301, textClientEventRate}) {
				t.Fatalf("got %s, want error 4301", got.text)
			}
			refused++
		case <-deadline:
			t.Fatalf("%d events delivered and %d refused of %d", len(delivered), refused, sent)
		}
	}
	return delivered, refused
}

// worksAgain sends events until one is delivered, for at most the second that
// an empty bucket may ask for, and patience.
func worksAgain(t *testing.T, sender, receiver *client, channel string) {
	t.Helper()
	eventually(t, "a client event is accepted again", func() bool {
		sender.clientEvent(t, "client-n", channel, "0")
		delivered, _ := countRated(t, sender, receiver, 1)
		return len(delivered) == 1
	})
}

func refusedEventsAreFree(t *testing.T) {
	channel, elsewhere := unique("private-"), unique("private-")
	c := subscribed(t, shared(t), talkative, 2, channel)
	large := strings.Repeat("x", 10_241)
	for range 8 {
		c[0].clientEvent(t, "client-x", channel, large)
		c[0].clientEvent(t, "client-x", elsewhere, "hello")
		c[0].clientEvent(t, "client-x", "public", "hello")
		c[0].sendEvent(t, "client-x", "hello")
	}
	for range 8 {
		c[0].expectError(t, 0, textEventSize)
		c[0].expectError(t, 0, textNotSubscribed(elsewhere))
		c[0].expectError(t, 0, textClientEventPublic)
		c[0].expectError(t, 0, textClientEventShape)
	}
	for i := range 10 {
		c[0].clientEvent(t, "client-n", channel, strconv.Itoa(i))
	}
	for i := range 10 {
		c[1].expectEvent(t, "client-n", channel, strconv.Itoa(i))
	}
	c[0].expectNothing(t)
}

func limitsEachConnection(t *testing.T) {
	channel := unique("private-")
	c := subscribed(t, shared(t), talkative, 3, channel)
	for i := range 10 {
		c[0].clientEvent(t, "client-n", channel, strconv.Itoa(i))
		c[1].clientEvent(t, "client-n", channel, strconv.Itoa(i))
	}
	for range 20 {
		c[2].expect(t, "client-n", channel)
	}
	for range 10 {
		c[0].expect(t, "client-n", channel)
		c[1].expect(t, "client-n", channel)
	}
	c[0].expectNothing(t)
	c[1].expectNothing(t)
}
