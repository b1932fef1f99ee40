package conformance

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Apps of the servers of these tests; plain has the default, which is none.
var (
	squeezed = app{"1101", "squeezed-key", "squeezed-secret"} // compression
	wringing = app{"1102", "wringing-key", "wringing-secret"} // compression from 100 bytes on
)

func compressionConfig() string {
	return "apps:\n" + appYAML(plain) +
		appYAML(squeezed, "compression: true", "client_events: true") +
		appYAML(wringing, "compression: true", "compression_min_bytes: 100")
}

// leastCompressed is the default of compression_min_bytes.
const leastCompressed = 512

// deflateOffer is what Chromium, Firefox and the ws library send.
const deflateOffer = "permessage-deflate; client_max_window_bits"

// agreed is the only answer that lets one compressed frame serve everybody.
const agreed = "permessage-deflate; client_no_context_takeover; server_no_context_takeover"

func TestCompression(t *testing.T) {
	t.Parallel()
	s := startServer(t, compressionConfig())
	t.Run("negotiation", func(t *testing.T) { testNegotiation(t, s) })
	for _, about := range []struct {
		name  string
		prove func(*testing.T, *server)
	}{
		{"an app without it accepts no offer and no compressed message", compressionOff},
		{"events of the least size and more are compressed, shorter ones are not", compressionThreshold},
		{"events arrive the same with and without", compressedAndPlain},
		{"order and exclusion hold across both kinds", compressedOrder},
		{"no frame depends on one before it", compressedAlone},
		{"a cached event is understood", compressedCache},
		{"a presence channel works", compressedPresence},
	} {
		t.Run(about.name, func(t *testing.T) {
			t.Parallel()
			about.prove(t, s)
		})
	}
}

func testNegotiation(t *testing.T, s *server) {
	tests := []struct {
		name   string
		offers []string // header lines
		want   string
	}{
		{"none", nil, ""},
		{"browsers", []string{deflateOffer}, agreed},
		{"Apple's stack and OkHttp", []string{"permessage-deflate"}, agreed},
		{"Java-WebSocket", []string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover"}, agreed},
		{"a smaller window of the client", []string{"permessage-deflate; client_max_window_bits=10"}, agreed},
		{"a smaller window of the server", []string{"permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"}, ""},
		{"a smaller window at first", []string{"permessage-deflate; server_max_window_bits=10, " + deflateOffer}, agreed},
		{"over two lines", []string{"x-other", deflateOffer}, agreed},
		{"an unknown parameter", []string{"permessage-deflate; x=1"}, ""},
		{"another extension", []string{"x-webkit-deflate-frame"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, answer := deflateDial(t, s, squeezed, tt.offers...)
			if answer != tt.want {
				t.Errorf("offer %q is answered %q, want %q", tt.offers, answer, tt.want)
			}
			channel := unique("offered-")
			w.subscribe(t, channel)
			s.api(squeezed).trigger(t, channel, "e", prose(1000))
			if got := w.expect(t, "e", channel); got.compressed != (tt.want != "") {
				t.Errorf("an event is compressed: %v", got.compressed)
			}
		})
	}
}

func compressionOff(t *testing.T, s *server) {
	w, answer := deflateDial(t, s, plain, deflateOffer)
	if answer != "" {
		t.Fatalf("the offer is answered %q", answer)
	}
	channel := unique("off-")
	w.subscribe(t, channel)
	s.api(plain).trigger(t, channel, "e", prose(5000))
	if w.expect(t, "e", channel).compressed {
		t.Fatal("an event is compressed")
	}
	w.put(t, masked(fin|rsv1|opText, deflated(`{"event":"pusher:ping"}`)))
	if code, _ := w.closing(t); code != 1002 {
		t.Fatalf("closed with %d, want 1002", code)
	}
}

func compressionThreshold(t *testing.T, s *server) {
	for a, least := range map[app]int{squeezed: leastCompressed, wringing: 100} {
		w, _ := deflateDial(t, s, a, deflateOffer)
		channel := unique("c-")
		w.subscribe(t, channel)
		around := len(`{"event":"e","channel":"` + channel + `","data":""}`)
		for _, size := range []int{0, least - around - 1, least - around, 2 * least, 10_000} {
			s.api(a).trigger(t, channel, "e", prose(size))
			got := w.expect(t, "e", channel)
			size := around + size
			if got.compressed != (size >= least) || len(got.raw) != size {
				t.Errorf("app %s: an event of %d bytes is compressed: %v", a.key, len(got.raw), got.compressed)
			}
			if got.compressed && size > 2*least && len(got.payload) > size/2 {
				t.Errorf("app %s: %d bytes are compressed to %d", a.key, size, len(got.payload))
			}
		}
		s.api(a).trigger(t, channel, strings.Repeat("n", 200), "")
		if got := w.message(t); got.compressed != (len(got.raw) >= least) {
			t.Errorf("app %s: a long name, %d bytes, compressed: %v", a.key, len(got.raw), got.compressed)
		}
	}
}

// compressedAndPlain: connections that agreed get the bytes of those that did
// not, once inflated.
func compressedAndPlain(t *testing.T, s *server) {
	channel := unique("private-mixed-")
	bare, _ := deflateDial(t, s, squeezed)
	first, _ := deflateDial(t, s, squeezed, deflateOffer)
	second, _ := deflateDial(t, s, squeezed, "permessage-deflate")
	sender, _ := deflateDial(t, s, squeezed, deflateOffer)
	for _, w := range []*deflateWire{bare, first, second, sender} {
		w.subscribe(t, channel)
	}
	for _, data := range []string{"short", prose(600), prose(9_999), strings.Repeat("\u2028<&>😀", 200), `{"a":"` + strings.Repeat("é", 900) + `"}`} {
		s.api(squeezed).trigger(t, channel, "from-backend", data)
		sender.expect(t, "from-backend", channel)
		sender.say(t, marshal(t, object{"event": "client-e", "channel": channel, "data": data}))
		for _, event := range []string{"from-backend", "client-e"} {
			want := bare.expect(t, event, channel)
			if want.compressed {
				t.Fatal("compressed without an offer")
			}
			one, two := first.expect(t, event, channel), second.expect(t, event, channel)
			if one.raw != want.raw || two.raw != want.raw {
				t.Fatalf("got\n%s and\n%s, want\n%s", one.raw, two.raw, want.raw)
			}
			if one.compressed != (len(want.raw) >= leastCompressed) || !bytes.Equal(one.payload, two.payload) {
				t.Fatalf("%d bytes: compressed %v and %v", len(want.raw), one.compressed, two.compressed)
			}
		}
	}
}

// compressedOrder publishes long and short events, some of which exclude a
// connection, faster than they are read.
func compressedOrder(t *testing.T, s *server) {
	channel := unique("ordered-")
	readers := make([]*deflateWire, 4)
	for i := range readers {
		offers := []string{deflateOffer}
		readers[i], _ = deflateDial(t, s, squeezed, offers[:i%2]...)
		readers[i].subscribe(t, channel)
	}
	const count = 60
	excluded := func(i int) int { return i % 7 } // of readers; nobody for what is beyond
	for i := range count {
		socketID := ""
		if x := excluded(i); x < len(readers) {
			socketID = readers[x].socketID
		}
		s.api(squeezed).triggerExcept(t, channel, "e", fmt.Sprintf("%d %s", i, prose(i%3*700)), socketID)
	}
	for r, w := range readers {
		for i := range count {
			if excluded(i) == r {
				continue
			}
			got := w.expect(t, "e", channel)
			if want := fmt.Sprintf("%d ", i); !strings.HasPrefix(got.text(t), want) {
				t.Fatalf("reader %d: got %.20q, want event %d", r, got.text(t), i)
			}
			if got.compressed != (r%2 == 1 && i%3 > 0) {
				t.Fatalf("reader %d, event %d: compressed %v", r, i, got.compressed)
			}
		}
	}
}

// compressedAlone: a client may miss any frame's content and read the next.
func compressedAlone(t *testing.T, s *server) {
	w, _ := deflateDial(t, s, squeezed, deflateOffer)
	channel := unique("alone-")
	w.subscribe(t, channel)
	var payloads [][]byte
	for range 2 {
		s.api(squeezed).trigger(t, channel, "e", prose(3_000))
		payloads = append(payloads, w.expect(t, "e", channel).payload)
	}
	if !bytes.Equal(payloads[0], payloads[1]) {
		t.Fatal("the same event is other bytes the second time")
	}
}

func compressedCache(t *testing.T, s *server) {
	channel := unique("cache-")
	s.api(squeezed).trigger(t, channel, "e", prose(4_000))
	for _, offers := range [][]string{{deflateOffer}, nil} {
		w, _ := deflateDial(t, s, squeezed, offers...)
		w.subscribe(t, channel)
		if got := w.expect(t, "e", channel); got.text(t) != prose(4_000) {
			t.Fatalf("got %s", got.raw)
		}
	}
}

func compressedPresence(t *testing.T, s *server) {
	room := unique("presence-")
	var others []*deflateWire
	for i := range 20 {
		w, _ := deflateDial(t, s, squeezed, deflateOffer)
		data := fmt.Sprintf(`{"user_id":"user-%d","user_info":{"about":"%s"}}`, i, prose(100))
		w.say(t, marshal(t, object{"event": "pusher:subscribe", "data": object{
			"channel": room, "channel_data": data, "auth": squeezed.authData(w.socketID, room, data),
		}}))
		var members struct {
			Presence struct {
				IDs  []string
				Hash map[string]object
			}
		}
		w.expect(t, "pusher_internal:subscription_succeeded", room).into(t, &members)
		if len(members.Presence.IDs) != i+1 || len(members.Presence.Hash) != i+1 {
			t.Fatalf("member %d sees %d", i, len(members.Presence.IDs))
		}
		for _, o := range others {
			o.expect(t, "pusher_internal:member_added", room)
		}
		others = append(others, w)
	}
}
