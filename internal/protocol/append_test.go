package protocol_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// P-033: the data of the handshake is a string that holds an object with
// socket_id and activity_timeout.
func TestConnectionEstablished(t *testing.T) {
	frames := testkit.Frames(t, protocol.ConnectionEstablished("71.2200", 45))
	f := frames[0]
	if len(frames) != 1 || f.Event != "pusher:connection_established" || f.Has("channel") {
		t.Fatalf("frames %+v", frames)
	}
	var data map[string]any
	if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
		t.Fatal(err)
	}
	if want := map[string]any{"socket_id": "71.2200", "activity_timeout": 45.0}; !maps.Equal(data, want) {
		t.Errorf("data %v, want %v", data, want)
	}
}

// P-058: text of users arrives as it was, and nothing is escaped for HTML.
func TestUserTextIsUnchanged(t *testing.T) {
	for _, text := range []string{
		`<script>alert("x") && 1</script>`, "line\u2028separator\u2029", "é€😀", `{"nested":"\u003c\"\\"}`,
		"tab\tline\nreturn\rbell\x07", `\u0041`, "",
	} {
		w := protocol.Event{Name: text, Channel: "presence-x", Data: protocol.PayloadOfText(text), UserID: "u" + text}.Encode()
		f := testkit.Frames(t, w)[0]
		if f.Event != text || f.Data != text || f.UserID != "u"+text {
			t.Errorf("%q arrives as event %q, data %q, user %q", text, f.Event, f.Data, f.UserID)
		}
		if strings.Count(f.Raw, "<") != 3*strings.Count(text, "<") || strings.Count(f.Raw, "\u2028") != 3*strings.Count(text, "\u2028") {
			t.Errorf("%q is escaped: %s", text, f.Raw)
		}
	}
}

func TestOptionalKeys(t *testing.T) {
	f := testkit.Frames(t, protocol.Event{Name: "e", Data: protocol.PayloadOfText("d")}.Encode())[0]
	if f.Has("channel") || f.Has("user_id") || !f.Has("data") {
		t.Errorf("frame %s", f.Raw)
	}
	f = testkit.Frames(t, protocol.Event{Name: "e", Channel: "c", Data: protocol.PayloadOfText("d"), UserID: "u"}.Encode())[0]
	if f.Field("channel") != `"c"` || f.Field("user_id") != `"u"` {
		t.Errorf("frame %s", f.Raw)
	}
}

func TestSigninSuccessEchoesUserData(t *testing.T) {
	for _, text := range []string{
		`{"id":"42"}`, ` {"id": "42", "x":"\u003c<\/"} `, `{"id":"é€😀"}`, "{\"id\":\"1\",\t\"a\":1.50}", `{"id":"1","b":"\\\""}`,
	} {
		f := testkit.Frames(t, protocol.SigninSuccess(text))[0]
		var data map[string]string
		if err := json.Unmarshal([]byte(f.Data), &data); err != nil || len(data) != 1 || data["user_data"] != text {
			t.Errorf("%v: %s comes back as %q", err, text, data)
		}
	}
}

func TestWatchlistEvents(t *testing.T) {
	type event struct {
		Name    string
		UserIDs []string `json:"user_ids"`
	}
	tests := []struct {
		name            string
		offline, online []string
		want            []event
	}{
		{"only offline", []string{"1", "2"}, nil, []event{{"offline", []string{"1", "2"}}}},
		{"only online", nil, []string{"1"}, []event{{"online", []string{"1"}}}},
		{"offline before online", []string{"1"}, []string{"2"}, []event{{"offline", []string{"1"}}, {"online", []string{"2"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := testkit.Frames(t, protocol.WatchlistEvents(tt.offline, tt.online))[0]
			var data struct{ Events []event }
			if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
				t.Fatal(err)
			}
			same := func(a, b event) bool { return a.Name == b.Name && slices.Equal(a.UserIDs, b.UserIDs) }
			if f.Event != "pusher_internal:watchlist_events" || f.Has("channel") || !slices.EqualFunc(data.Events, tt.want, same) {
				t.Errorf("frame %s, want %v", f.Raw, tt.want)
			}
		})
	}
	if w := protocol.WatchlistEvents(nil, []string{}); w != nil {
		t.Errorf("a frame about nobody: %s", w)
	}
}

// The two ways to encode a client event agree, whatever its data is.
func TestClientEvent(t *testing.T) {
	for _, data := range []string{
		`{"on":true}`, `"plain"`, `"{\"a\":\"\\n\"}"`, `"\ud83d\ude00"`, `"lone \ud83d\n"`, `{"lone":"\ud83d"}`, "{\n\t\"a\" : \"é<\"\r\n}",
		`[1,"\\"]`, `1.50`, `false`, `""`, `"` + strings.Repeat(`\"`, 500) + `"`, `[` + strings.Repeat(`"\"",`, 500) + `0]`,
	} {
		for _, event := range []protocol.ClientEvent{
			{Name: []byte("client-x"), Channel: "private-room"},
			{Name: []byte("client-\"é\n😀"), Channel: "presence-room", UserID: `4"2`},
			{Name: []byte("client-" + strings.Repeat("\x01", 190)), Channel: "presence-room", UserID: "u", Verbatim: true},
		} {
			v, err := strictjson.Parse([]byte(data))
			if err != nil {
				t.Fatal(err)
			}
			event.Data = v
			checkEncoded(t, event)
		}
	}
}

// checkEncoded compares with the general encoder, and makes sure that the input
// may be reused afterwards.
func checkEncoded(t *testing.T, e protocol.ClientEvent) {
	t.Helper()
	want := protocol.Event{Name: string(e.Name), Channel: e.Channel, Data: bytes.Clone(protocol.PayloadOf(e.Data)), UserID: e.UserID}
	frame := want
	if e.Verbatim {
		frame.Data = bytes.Clone(e.Data)
	}
	if e.Verbatim && !bytes.Equal(e.Data, want.Data) {
		want.Data = nil // it is not in the frame
	}
	sent := string(e.Data)
	e.Name, e.Data = bytes.Clone(e.Name), bytes.Clone(e.Data)
	got, data := e.Encode()
	clear(e.Name)
	clear(e.Data)
	if !bytes.Equal(got, frame.Encode()) {
		t.Errorf("data %s: frame %q, want %q", sent, got, frame.Encode())
	}
	if !bytes.Equal(data, want.Data) || (data == nil) != (want.Data == nil) {
		t.Errorf("data %s: payload %s, want %s", sent, data, want.Data)
	}
	if _ = append(data, "!!!"...); !bytes.Equal(got, frame.Encode()) {
		t.Errorf("data %s: appending to the payload changed the frame", sent)
	}
}

func checkClientEvent(t *testing.T, f protocol.Frame) {
	t.Helper()
	checkEncoded(t, protocol.ClientEvent{Name: f.Event, Channel: "private-room", Data: f.Data})
	checkEncoded(t, protocol.ClientEvent{Name: f.Event, Channel: "presence-room", Data: f.Data, UserID: "u", Verbatim: true})
}

func BenchmarkEncode(b *testing.B) {
	for _, size := range []int{64, 1_024, 10_240} {
		b.Run("size="+strconv.Itoa(size), func(b *testing.B) {
			e := protocol.Event{Name: "my-event", Channel: "my-channel", Data: protocol.PayloadOfText(strings.Repeat("d", size))}
			b.ReportAllocs()
			for b.Loop() {
				e.Encode()
			}
		})
	}
}

func BenchmarkEncodeClientEvent(b *testing.B) {
	for _, size := range []int{102, 1_000, 10_000} {
		b.Run("size="+strconv.Itoa(size), func(b *testing.B) {
			f, err := protocol.ParseFrame(clientFrame(size))
			if err != nil {
				b.Fatal(err)
			}
			e := protocol.ClientEvent{Name: f.Event, Channel: "presence-room", Data: f.Data, UserID: "42"}
			b.ReportAllocs()
			for b.Loop() {
				e.Encode()
			}
		})
	}
}
