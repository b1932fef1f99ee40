package protocol_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/protocol"
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

// P-100: ids and the keys of hash are one set of strings, count is their number.
// P-101: hash values are the user_info as it came.
// P-102: a member without user_info has null, and hash is an object in any case.
func TestPresenceSucceeded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.String(), 0, 20, rapid.ID[string]).Draw(rt, "ids")
		info := rapid.SampledFrom([]string{
			"", "null", `{"b":1,"a":12345678901234567890}`, `"\u003c<"`, `[1.50]`, `{"a" : 1}`,
		})
		var members []protocol.Member
		want := map[string]string{}
		for _, id := range ids {
			m := protocol.Member{UserID: id, Info: []byte(info.Draw(rt, "info"))}
			members = append(members, m)
			want[id] = string(m.Info)
			if len(m.Info) == 0 {
				want[id] = "null"
			}
		}
		f := testkit.Frames(t, protocol.PresenceSucceeded("presence-x", members))[0]
		var data struct {
			Presence struct {
				Count int
				IDs   []string
				Hash  map[string]json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
			rt.Fatalf("%v: %s", err, f.Data)
		}
		p := data.Presence
		if p.Count != len(ids) || !slices.Equal(p.IDs, ids) && len(ids) > 0 || p.Hash == nil || len(p.Hash) != len(ids) {
			rt.Fatalf("count %d, ids %q, hash %s of members %q", p.Count, p.IDs, p.Hash, ids)
		}
		for id, info := range want {
			if string(p.Hash[id]) != info {
				rt.Fatalf("user_info of %q is %s, want %s", id, p.Hash[id], info)
			}
		}
	})
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

func TestEncodeAllocatesOnce(t *testing.T) {
	e := protocol.Event{Name: "client-typing", Channel: "presence-room", Data: protocol.PayloadOfText(`{"on":true}`), UserID: "42"}
	if n := testing.AllocsPerRun(100, func() { e.Encode() }); n != 1 {
		t.Errorf("%v allocations, want 1", n)
	}
}

func BenchmarkEncode(b *testing.B) {
	for name, size := range map[string]int{"64": 64, "1024": 1024, "10240": 10_240} {
		b.Run("size="+name, func(b *testing.B) {
			e := protocol.Event{Name: "my-event", Channel: "my-channel", Data: protocol.PayloadOfText(strings.Repeat("d", size))}
			b.ReportAllocs()
			for b.Loop() {
				e.Encode()
			}
		})
	}
}
