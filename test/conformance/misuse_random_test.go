package conformance

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

const randomFrames = 1000

func TestRandomFrames(t *testing.T) {
	prove(t, []statement{
		{"P-252 random texts and JSON are answered by pusher:error each", randomTexts},
		{"P-252 damaged frames are answered or end by a documented close", randomDamage},
		{"P-252 random bytes of either kind end by a documented close", randomBytes},
	})
}

// fuzzer makes random frames; the same seed makes the same ones.
type fuzzer struct{ *rand.Rand }

// newFuzzer logs its seed. CONFORMANCE_SEED repeats a run.
func newFuzzer(t *testing.T) fuzzer {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("CONFORMANCE_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("CONFORMANCE_SEED: %v", err)
		}
	}
	t.Logf("CONFORMANCE_SEED=%d", seed)
	return fuzzer{rand.New(rand.NewPCG(seed, 1))}
}

func pick[T any](f fuzzer, all []T) T { return all[f.IntN(len(all))] }

// randomTexts sends nothing that could be carried out, so that each frame has
// exactly one answer.
func randomTexts(t *testing.T) {
	f := newFuzzer(t)
	s := shared(t)
	bystander := connect(t, s, talkative)
	channel := unique("private-")
	bystander.subscribe(t, channel)

	c := connect(t, s, talkative)
	for range randomFrames {
		text := f.text()
		if f.IntN(3) > 0 {
			text = f.envelope()
		}
		c.send(t, text)
		if got := c.recv(t); got.Event != "pusher:error" {
			t.Fatalf("frame %q was answered by %s", text, got.raw)
		}
	}
	c.expectNothing(t)
	c.subscribe(t, channel)
	c.clientEvent(t, "client-alive", channel, "1")
	bystander.expectEvent(t, "client-alive", channel, "1")
	bystander.expectNothing(t)
}

// text is any UTF-8 text; up to 100 characters, now and then 5,000.
func (f fuzzer) text() string {
	length := f.IntN(100)
	if f.IntN(50) == 0 {
		length = 5_000
	}
	var b strings.Builder
	for range length {
		switch f.IntN(4) {
		case 0:
			b.WriteByte(pick(f, []byte(`{}[]":,\ 0-+.eEtfnu`)))
		case 1:
			b.WriteRune(pick(f, []rune("\x00\x1f\x7f\u0080\u2028\ufeff\ufffd\U0001f422<>&'")))
		default:
			b.WriteByte(byte(' ' + f.IntN(95)))
		}
	}
	return b.String()
}

// Names that mean something, in the wrong place or with the wrong company.
// None of them can be subscribed to, and none is a ping.
var (
	fuzzEvents = []string{
		"pusher:subscribe", "pusher:subscribe", "pusher:unsubscribe", "pusher:signin", "pusher:signin", "client-x", "client-x", "client-",
		"pusher_internal:member_added", "pusher:error", "pusher:connection_established", "pusher:", "Client-x", "", "x",
	}
	fuzzKeys  = []string{"event", "channel", "data", "auth", "channel_data", "user_data", "user_id", "id", "name", "", "\u0000", "Event"}
	fuzzTexts = []string{
		"", " ", ":", "private-encrypted-x", "private-encrypted-cache-x", "#server-to-user-1", "#", "in valid", "talk-key:", "talk-key:00",
		"{}", "[]", `{"channel":"#"}`, `{"channel":"private-encrypted-x","auth":"talk-key:00"}`, `{"id":"1"}`, "1.1::user::x", "żółw",
	}
)

// envelope is a JSON object that looks like a frame.
func (f fuzzer) envelope() string {
	parts := []string{`"event":` + quote(pick(f, fuzzEvents))}
	switch f.IntN(6) {
	case 0: // without data
	case 1, 2:
		parts = append(parts, `"data":`+f.json(3))
	default:
		parts = append(parts, `"data":`+f.arguments())
	}
	if f.IntN(3) > 0 {
		parts = append(parts, `"channel":`+f.json(0))
	}
	for range f.IntN(3) {
		parts = append(parts, quote(pick(f, fuzzKeys))+":"+f.json(2))
	}
	f.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	return "{" + strings.Join(parts, ",") + "}"
}

// arguments is an object with some of the parameters of a pusher: frame.
func (f fuzzer) arguments() string {
	var members []string
	for _, key := range []string{"channel", "auth", "user_data", "channel_data"} {
		if f.IntN(3) > 0 {
			members = append(members, quote(key)+":"+f.json(0))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// json is a JSON value of at most this depth.
func (f fuzzer) json(depth int) string {
	kinds := 6
	if depth > 0 {
		kinds = 9
	}
	switch f.IntN(kinds) {
	case 0:
		return pick(f, []string{"null", "true", "false"})
	case 1:
		return pick(f, []string{"0", "-0", "1e999", "-1.5E-7", "12345678901234567890", "9007199254740993"})
	case 2:
		return pick(f, []string{`"\ud800"`, `"\u0000"`, `"\/"`, `"\ud83d\udc22"`, `"\uDC00\uD800"`})
	case 3, 4, 5:
		return quote(pick(f, fuzzTexts))
	case 6:
		return "[" + f.json(depth-1) + "," + f.json(depth-1) + "]"
	default:
		var members []string
		for range f.IntN(5) {
			members = append(members, quote(pick(f, fuzzKeys))+":"+f.json(depth-1))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
}

// randomDamage sends frames that were good until some bytes changed. They may
// still be carried out; every frame that comes back must be well-formed, and
// only what is not UTF-8 may end a connection.
func randomDamage(t *testing.T) {
	f := newFuzzer(t)
	s := shared(t)
	c := connect(t, s, talkative)
	for range randomFrames {
		text := f.damage(f.goodFrame(c))
		c.send(t, text)
		if !utf8.ValidString(text) {
			c.expectEndsWith(t, 1007)
			c = connect(t, s, talkative)
		}
	}
	c.sendEvent(t, "pusher:signin", object{"auth": nil})
	for got := c.recv(t); got.Event != "pusher:error" || got.errorBody(t).Message != "Missing parameter: data.auth"; {
		got = c.recv(t)
	}
}

// goodFrame is a frame that the server carries out.
func (f fuzzer) goodFrame(c *client) string {
	private, presence := "private-damaged", "presence-damaged"
	userData := `{"user_id":"1","user_info":{"a":[1,2]}}`
	return pick(f, []string{
		`{"event":"pusher:subscribe","data":{"auth":"","channel":"damaged"}}`,
		`{"event":"pusher:subscribe","data":{"auth":"` + c.app.auth(c.socketID, private) + `","channel":"` + private + `"}}`,
		`{"event":"pusher:subscribe","data":{"auth":"` + c.app.authData(c.socketID, presence, userData) + `","channel_data":` +
			quote(userData) + `,"channel":"` + presence + `"}}`,
		`{"event":"pusher:unsubscribe","data":{"channel":"` + private + `"}}`,
		`{"event":"client-damaged","data":{"a":"\u00e9"},"channel":"` + private + `"}`,
		`{"event":"pusher:signin","data":{"auth":"` + c.app.authUser(c.socketID, `{"id":"7"}`) + `","user_data":"{\"id\":\"7\"}"}}`,
		`{"event":"pusher:ping","data":{}}`,
	})
}

// damage changes, removes, repeats or cuts off up to three times.
func (f fuzzer) damage(text string) string {
	b := []byte(text)
	for range 1 + f.IntN(3) {
		if len(b) == 0 {
			break
		}
		at := f.IntN(len(b))
		switch f.IntN(6) {
		case 0:
			b[at] ^= 1 << f.IntN(8)
		case 1:
			b = append(b[:at], b[at+1:]...)
		case 2:
			end := at + f.IntN(len(b)-at)
			b = append(b[:end:end], b[at:]...)
		case 3:
			b = b[:at]
		case 4:
			b[at] = pick(f, []byte(`{}[]":,\0`+" \x00"))
		default:
			b = append(b[:at:at], append([]byte(pick(f, fuzzTexts)), b[at:]...)...)
		}
	}
	return string(b)
}

// randomBytes sends bytes as text and as binary messages. The first message
// that a rule of §1.6 forbids ends the connection; then the next one begins.
func randomBytes(t *testing.T) {
	f := newFuzzer(t)
	s := shared(t)
	c := connect(t, s, talkative)
	for range randomFrames {
		payload := make([]byte, f.IntN(40))
		for i := range payload {
			payload[i] = byte(f.IntN(256))
		}
		if f.IntN(2) == 0 { // so that some connections live longer
			payload = []byte(f.text())
		}
		binary := f.IntN(20) == 0
		kind := websocket.MessageText
		if binary {
			kind = websocket.MessageBinary
		}
		c.write(t, kind, payload)
		switch {
		case binary:
			c.expectEndsWith(t, 1003)
		case !utf8.Valid(payload):
			c.expectEndsWith(t, 1007)
		default:
			if got := c.recv(t); got.Event != "pusher:error" {
				t.Fatalf("message %q was answered by %s", payload, got.raw)
			}
			continue
		}
		c = connect(t, s, talkative)
	}
	c.expectNothing(t)
}

// expectEndsWith reads well-formed frames up to this close.
func (c *client) expectEndsWith(t testing.TB, code int) {
	t.Helper()
	for {
		got := c.next(t, patience)
		if got.err == nil {
			decode(t, got.text)
			continue
		}
		var closing websocket.CloseError
		if !errors.As(got.err, &closing) || int(closing.Code) != code {
			t.Fatalf("ended with %v, want close %d", got.err, code)
		}
		return
	}
}
