package protocol

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// What was encoded is read again, whatever stands in names, data and user ids.
func TestReadEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Event{
			Name:    rapid.String().Draw(t, "name"),
			Channel: ChannelName(rapid.StringMatching(`(private-|presence-)?[a-zA-Z0-9_=@,.;-]{1,30}`).Draw(t, "channel")),
			Data:    PayloadOfText(rapid.String().Draw(t, "data")),
			UserID:  rapid.String().Draw(t, "user id"),
		}
		got, err := ReadEvent(want.Encode())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("read %+v, %v; want %+v", got, err, want)
		}
	})
}

func TestReadEventOfClients(t *testing.T) {
	for _, tt := range []struct {
		name, data string
		verbatim   bool
		want       string
	}{
		{"a string", `"a\u00e9"`, false, `"a\u00e9"`},
		{"an object as a string", `{"a": [1]}`, false, `"{\"a\": [1]}"`},
		{"a verbatim object", `{"a": [1]}`, true, `"{\"a\": [1]}"`},
		{"a verbatim string", `"x"`, true, `"x"`},
		{"a lone surrogate", `"\ud800"`, false, "\"\ufffd\""},
	} {
		e := ClientEvent{
			Name: []byte("client-e"), Channel: "presence-c", UserID: "u", Verbatim: tt.verbatim,
			Data: strictjson.Value(tt.data),
		}
		frame, _ := e.Encode()
		want := Event{Name: "client-e", Channel: "presence-c", Data: Payload(tt.want), UserID: "u"}
		if got, err := ReadEvent(frame); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read %+v (%s), %v; want %+v", tt.name, got, got.Data, err, want)
		}
	}
}

func TestReadEventRefuses(t *testing.T) {
	for _, w := range []Wire{nil, PingFrame(), CloseFrame(CloseAppDisabled), sealText(append(newText(9), "[1]"...))} {
		if e, err := ReadEvent(w); err == nil {
			t.Errorf("%q is read as %+v", w, e)
		}
	}
}

func FuzzReadEvent(f *testing.F) {
	f.Add([]byte(`{"event":"e","channel":"c","data":"{}","user_id":"1"}`))
	f.Add([]byte(`{"event":"e","channel":"c","data":{"a":[1,null]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := ReadEvent(sealText(append(newText(len(text)), text...)))
		if err != nil || e.Data == nil {
			return
		}
		if again, err := ReadEvent(e.Encode()); err != nil || again.Name != e.Name || string(again.Data) != string(e.Data) {
			t.Fatalf("%q is read as %+v and then as %+v, %v", text, e, again, err)
		}
	})
}
