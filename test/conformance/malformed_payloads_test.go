package conformance

import (
	"fmt"
	"strings"
	"testing"
)

// closeCases are close frames with codes that may stand on the wire, which are
// answered in kind, and with codes that may not (RFC 6455 §7.4).
func closeCases() []frameCase {
	var cases []frameCase
	for _, code := range []int{1000, 1001, 3000, 4000, 4999} {
		cases = append(cases, frameCase{
			fmt.Sprintf("a close with code %d", code), masked(fin|opClose, closePayload(code, "bye")), []int{code, 1000},
		})
	}
	for _, code := range []int{0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535} {
		cases = append(cases, frameCase{
			fmt.Sprintf("a close with the invalid code %d", code), masked(fin|opClose, closePayload(code, "")), []int{1002},
		})
	}
	return cases
}

// utf8Cases are texts that are not UTF-8, in one frame and over several.
func utf8Cases() []frameCase {
	var cases []frameCase
	for name, bad := range map[string]string{
		"a lone 0xff":              "\xff",
		"a lone continuation byte": "\x80",
		"an overlong slash":        "\xc0\xaf",
		"an overlong three-byte":   "\xe0\x80\xaf",
		"a surrogate half":         "\xed\xa0\x80",
		"beyond U+10FFFF":          "\xf4\x90\x80\x80",
		"a five-byte form":         "\xf8\x88\x80\x80\x80",
		"a rune cut off at 2 of 3": "\xe2\x82",
		"a rune cut off at 3 of 4": "\xf0\x9f\x98",
		"UTF-16 with byte order":   "\xff\xfe{\x00",
	} {
		text := `{"event":"pusher:ping","data":"` + bad + `"}`
		cases = append(cases, frameCase{"text with " + name, masked(fin|opText, []byte(text)), []int{1007}})
	}
	euro := `{"event":"pusher:ping","data":"` + "\xe2\x82\xac"
	return append(cases,
		frameCase{"text that ends in the middle of a rune", masked(fin|opText, []byte(euro[:len(euro)-1])), []int{1007}},
		frameCase{"bad UTF-8 split over fragments", append(
			masked(opText, []byte(euro[:len(euro)-1])), masked(fin|opContinuation, []byte(`"}`))...), []int{1007}},
		frameCase{"bad UTF-8 in the last of three fragments", append(append(
			masked(opText, []byte(euro)), masked(opContinuation, nil)...), masked(fin|opContinuation, []byte("\xac\"}"))...), []int{1007}},
	)
}

// textCase is a message that gets this one frame as answer and leaves the
// connection open.
type textCase struct {
	name, text, answer string
}

func (c textCase) check(t *testing.T, s *server) {
	w, _ := wireTo(t, s, plain)
	w.say(t, c.text)
	w.expectText(t, c.answer)
	w.say(t, `{"event":"pusher:ping"}`)
	w.expectText(t, pongFrame)
}

func textCases() []textCase {
	invalid := errorFrame(invalidJSONText)
	deep := func(n int) string {
		return `{"event":"pusher:ping","data":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`
	}
	return []textCase{
		{"an empty text", "", invalid},
		{"only NUL bytes", strings.Repeat("\x00", 1000), invalid},
		{"a key without value", `{"event"`, invalid},
		{"two objects", `{"event":"pusher:ping"}{"event":"pusher:ping"}`, invalid},
		{"thirty thousand open brackets", strings.Repeat("[", 30_000), invalid},
		{"thirty thousand open objects", strings.Repeat(`{"a":`, 10_000), invalid},
		{"data nested ten thousand deep", deep(10_000), invalid},
		{"a number too long for any type", `{"event":"pusher:ping","data":` + strings.Repeat("9", 30_000) + `}`, pongFrame},
		{"an exponent without end", `{"event":"pusher:ping","data":1e999999999}`, pongFrame},
		{"sixty kilobytes of white space", strings.Repeat(" ", 60_000) + `{"event":"pusher:ping"}`, pongFrame},
		{"an escaped NUL in an event", `{"event":"a\u0000b"}`, errorFrame("Unsupported event received on socket: a\x00b")},
		{"markup in an event", `{"event":"\"</script>"}`, errorFrame(`Unsupported event received on socket: "</script>`)},
		{"a rune split over nothing", `{"event":"` + "€" + `"}`, errorFrame("Unsupported event received on socket: €")},
		{"a channel that is an object", `{"event":"pusher:subscribe","data":{"channel":{"a":[1]}}}`, errorFrame("Missing parameter: data.channel")},
		{"a client event without channel", `{"event":"client-x","data":{}}`, errorFrame("Invalid client event (must contain channel and data)")},
		{
			"a client event to a channel of sixty kilobytes", `{"event":"client-x","channel":"` + strings.Repeat("x", 60_000) + `","data":1}`,
			errorFrame("Client event rejected - only supported on private and presence channels"),
		},
		{"a sign-in with nothing", `{"event":"pusher:signin"}`, errorFrame("Missing parameter: data.auth")},
		{"a sign-in with wrong types", `{"event":"pusher:signin","data":{"auth":[],"user_data":{}}}`, errorFrame("Missing parameter: data.auth")},
	}
}

// errorFrame returns a pusher:error with code null.
func errorFrame(message string) string {
	return `{"event":"pusher:error","data":{"code":null,"message":` + quote(message) + `}}`
}
