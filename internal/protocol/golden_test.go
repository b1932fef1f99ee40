package protocol_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata/frames")

// golden is one file of testdata/frames: everything that is sent in one case.
// covers names the exported functions and variables of this package that make
// it, see TestEveryFrameHasAGoldenFile.
type golden struct {
	file   string
	covers string
	wire   protocol.Wire
}

func goldens() []golden {
	all := eventGoldens()
	all = append(all, closeGoldens()...)
	return append(all, refusalGoldens()...)
}

func eventGoldens() []golden {
	const (
		public   = protocol.ChannelName("my-channel")
		private  = protocol.ChannelName("private-x")
		presence = protocol.ChannelName("presence-room")
	)
	text := protocol.PayloadOfText[string]
	members := []protocol.Member{
		{UserID: "1", Info: []byte(`{"name":"Ann <&> O\u0027Hara","b":1.50,"a":12345678901234567890}`)},
		{UserID: `2"\` + "\u2028", Info: nil},
		{UserID: "ü", Info: []byte(`[]`)},
	}
	var joined protocol.Wire // frames that follow one another are one wire
	joined = append(joined, protocol.SubscriptionSucceeded("cache-x")...)
	joined = append(joined, protocol.CacheMiss("cache-x")...)
	return []golden{
		{"connection_established", "ConnectionEstablished", protocol.ConnectionEstablished("208836.27464492", 120)},
		{"pong", "Pong", protocol.Pong()},
		{"error", "ErrorFrame", protocol.ErrorFrame(0, "Received invalid JSON")},
		{"error_code", "ErrorFrame", protocol.ErrorFrame(4301, "…")},
		{"error_escapes", "ErrorFrame", protocol.ErrorFrame(0, "<a href=\"x\">&\u2028\\\n\x00")},
		{"subscription_succeeded", "SubscriptionSucceeded", protocol.SubscriptionSucceeded(public)},
		{"subscription_succeeded_user", "SubscriptionSucceeded", protocol.SubscriptionSucceeded("#server-to-user-42")},
		{"presence_succeeded", "PresenceSnapshot", snapshot(presence, members...)},
		{"presence_succeeded_one", "PresenceSnapshot", snapshot(presence, members[1:2]...)},
		{"presence_succeeded_none", "PresenceSnapshot", snapshot(presence)},
		{"member_added", "MemberAdded", textOf(members[0]).Added(presence)},
		{"member_added_without_info", "MemberAdded", protocol.NewMemberText("42", "").Added(presence)},
		{"member_removed", "MemberRemoved", textOf(members[1]).Removed(presence)},
		{"subscription_count", "SubscriptionCount", protocol.SubscriptionCount(public, 3)},
		{"cache_miss", "CacheMiss", joined},
		{"signin_success", "SigninSuccess", protocol.SigninSuccess(`{"id":"42", "user_info":{"name":"Ann <3"}}`)},
		{"watchlist_offline", "WatchlistEvents", protocol.WatchlistEvents([]string{"7", `"8"`}, nil)},
		{"watchlist_online", "WatchlistEvents", protocol.WatchlistEvents(nil, []string{"7"})},
		{"watchlist_both", "WatchlistEvents", protocol.WatchlistEvents([]string{"7"}, []string{"8", "9"})},
		{"event", "", protocol.Event{Name: "my-event", Channel: public, Data: text(`{"a":1}`)}.Encode()},
		{"event_escapes", "", protocol.Event{Name: `<"e">&` + "\u2028", Channel: public, Data: text("<p>&amp;\u2028\u2029</p>\t\x01")}.Encode()},
		{"event_empty", "", protocol.Event{Name: "", Channel: public, Data: text("")}.Encode()},
		{"client_event_private", "", protocol.Event{Name: "client-hi", Channel: private, Data: text(`{"t":1}`)}.Encode()},
		{"client_event_presence", "", protocol.Event{Name: "client-hi", Channel: presence, Data: text(`{"t":1}`), UserID: `4"2`}.Encode()},
		{"ping", "PingFrame", protocol.PingFrame()},
	}
}

func textOf(m protocol.Member) protocol.MemberText { return protocol.NewMemberText(m.UserID, m.Info) }

func snapshot(channel protocol.ChannelName, members ...protocol.Member) protocol.Wire {
	size := 0
	for _, m := range members {
		size += textOf(m).Size()
	}
	at := func(i int) protocol.MemberText { return textOf(members[i]) }
	return protocol.PresenceSnapshot(channel, len(members), size, len(members), at)
}

func closeGoldens() []golden {
	all := []golden{
		{"close_cut", "CloseFrame", protocol.CloseFrame(protocol.CloseError{Code: 4001, Reason: strings.Repeat("€", 60)})},
	}
	for name, e := range closeErrors {
		all = append(all, golden{fmt.Sprintf("close_%d_%s", e.Code, name), name, protocol.CloseFrame(e)})
	}
	return all
}

func refusalGoldens() []golden {
	var all []golden
	for name, r := range refusals {
		function, _, _ := strings.Cut(name, "_")
		var w protocol.Wire
		w = append(w, r.InternalSubscriptionErrorFrame()...)
		w = append(w, r.SubscriptionErrorFrame()...)
		w = append(w, r.ErrorFrame()...)
		all = append(all, golden{"refusal_" + name, function, w})
	}
	return all
}

// dump writes frames for human eyes: header in hexadecimal, then the payload,
// that of control frames quoted.
func dump(t *testing.T, w protocol.Wire) []byte {
	t.Helper()
	var out bytes.Buffer
	for len(w) > 0 {
		size := w.FrameLen()
		if size == 0 {
			t.Fatalf("frame is cut off: % x", []byte(w))
		}
		payload := w.Payload()
		fmt.Fprintf(&out, "% x\n", []byte(w[:size-len(payload)]))
		if w[0]&0x0f == testkit.OpText {
			fmt.Fprintf(&out, "%s\n", payload)
		} else {
			fmt.Fprintf(&out, "%q\n", payload)
		}
		w = w[size:]
	}
	return out.Bytes()
}

func TestGoldenFrames(t *testing.T) {
	known := map[string]bool{}
	for _, g := range goldens() {
		path := filepath.Join("testdata", "frames", g.file+".golden")
		if known[path] {
			t.Fatalf("two cases write %s", path)
		}
		known[path] = true
		t.Run(g.file, func(t *testing.T) {
			got := dump(t, g.wire)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v (run with -update to write it)", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s\ngot:\n%s\nwant:\n%s", path, got, want)
			}
		})
	}
	files, err := filepath.Glob(filepath.Join("testdata", "frames", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if !known[path] {
			t.Errorf("%s belongs to no case", path)
		}
	}
}

// Rules that hold for every frame we send:
//   - P-036: data is there and is a JSON string, except in pusher:error;
//   - P-037: pusher:error has an object with code and message, and no channel;
//   - text is compact JSON that names no key twice, without HTML escapes.
func TestEveryFrame(t *testing.T) {
	for _, g := range goldens() {
		t.Run(g.file, func(t *testing.T) {
			for _, f := range testkit.Frames(t, g.wire) {
				if f.Op == testkit.OpText {
					checkTextFrame(t, f)
				}
			}
		})
	}
}

func checkTextFrame(t *testing.T, f testkit.Frame) {
	t.Helper()
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(f.Raw)); err != nil || compact.String() != f.Raw {
		t.Errorf("not compact: %v: %s", err, f.Raw)
	}
	for _, escape := range []string{`\u003c`, `\u003e`, `\u0026`, `\u2028`, `\u2029`} {
		if strings.Contains(strings.ToLower(f.Raw), escape) {
			t.Errorf("%s is escaped for nothing: %s", escape, f.Raw)
		}
	}
	v, err := strictjson.Parse([]byte(f.Raw))
	if err != nil || v.Members(func([]byte, strictjson.Value) error { return nil }) != nil {
		t.Errorf("not strict JSON: %v: %s", err, f.Raw)
	}
	data := strictjson.Value(f.Field("data"))
	if f.Event != "pusher:error" {
		if data.Kind() != strictjson.String {
			t.Errorf("data is no string: %s", f.Raw)
		}
		return
	}
	var code, message strictjson.Kind
	err = data.Members(func(key []byte, value strictjson.Value) error {
		switch string(key) {
		case "code":
			code = value.Kind()
			if bytes.ContainsAny(value, ".eE\"") {
				t.Errorf("code is no integer: %s", f.Raw)
			}
		case "message":
			message = value.Kind()
		}
		return nil
	})
	if err != nil || (code != strictjson.Number && code != strictjson.Null) || message != strictjson.String || f.Has("channel") {
		t.Errorf("error frame: %v: %s", err, f.Raw)
	}
}

// A frame, refusal or close reason that is added to the package needs a golden
// file as well: this finds the exported ones in the source.
func TestEveryFrameHasAGoldenFile(t *testing.T) {
	covered := map[string]bool{}
	for _, g := range goldens() {
		covered[g.covers] = true
	}
	files := token.NewFileSet()
	for _, name := range []string{"append.go", "presence.go", "wire.go", "refusal.go", "codes.go"} {
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, made := range makers(file) {
			if !covered[made] {
				t.Errorf("%s: nothing in testdata/frames covers %s", name, made)
			}
		}
	}
}

// makers returns the exported functions of a file that make frames or refusals,
// and its exported variables of that kind.
func makers(file *ast.File) []string {
	var names []string
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.IsExported() && makes(d.Type.Results) {
				names = append(names, d.Name.Name)
			}
		case *ast.GenDecl:
			if d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				for _, id := range spec.(*ast.ValueSpec).Names {
					if strings.HasPrefix(id.Name, "Refuse") || strings.HasPrefix(id.Name, "Close") {
						names = append(names, id.Name)
					}
				}
			}
		}
	}
	return names
}

func makes(results *ast.FieldList) bool {
	if results == nil || len(results.List) != 1 {
		return false
	}
	kind := results.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	id, ok := kind.(*ast.Ident)
	return ok && (id.Name == "Wire" || id.Name == "Refusal")
}
