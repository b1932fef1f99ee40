package broker_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata/messages")

const origin = broker.NodeID(0x0102030405060708)

// sample is a message with something in every field, and how it is read again.
type sample struct {
	name    string
	message []byte
	value   any
	read    func(broker.Body) (any, error)
}

func reader[T any](read func(broker.Body) (T, error)) func(broker.Body) (any, error) {
	return func(b broker.Body) (any, error) { return read(b) }
}

func namedReader[T any](read func(broker.Body, *broker.Names) (T, error)) func(broker.Body) (any, error) {
	return func(b broker.Body) (any, error) { return read(b, &broker.Names{}) }
}

func frame(channel, data string) protocol.Wire {
	return protocol.Event{
		Name: "my-event", Channel: protocol.ChannelName(channel), Data: protocol.PayloadOfText(data),
	}.Encode()
}

func samples() []sample {
	stamp := hub.Stamp{Count: 300, Node: 0xfffefdfcfbfaf9f8}
	fill := &hub.CacheFill{Event: "my-event", Data: protocol.PayloadOfText("x"), TTL: 90 * time.Second, Stamp: stamp}
	place := broker.Place{Lane: 3, Number: 1000, After: 77}
	event := broker.Event{Place: place, Relayed: hub.Relayed{
		App: "1", Channel: "private-a", Frame: frame("private-a", "hello"), Except: "123.456",
	}}
	cached := broker.Event{Place: place, Relayed: hub.Relayed{App: "1", Channel: "cache-a", Frame: frame("cache-a", "x"), Fill: fill}}
	following := broker.Event{
		Place:       place,
		Relayed:     hub.Relayed{App: "1", Channel: "b", Frame: frame("b", "x"), Follows: true, Followed: true},
		Predecessor: broker.Predecessor{Number: 999, Lane: 2, Channel: "a"},
	}
	shares := []hub.Share{
		{ShareKey: hub.ShareKey{Kind: hub.ShareOfChannel, App: "1", Channel: "a"}, Connections: 500, Missed: true},
		{
			ShareKey: hub.ShareKey{Kind: hub.ShareOfMember, App: "1", Channel: "presence-a", UserID: "ü"},
			Present:  true, Info: `{"a":1}`, Since: stamp,
		},
		{ShareKey: hub.ShareKey{Kind: hub.ShareOfUser, App: "1", UserID: "u"}, Present: true},
		{ShareKey: hub.ShareKey{Kind: hub.ShareOfApp, App: "1"}, Connections: 70_000, Counted: 69_000},
		{ShareKey: hub.ShareKey{Kind: hub.ShareOfChannel, App: "1", Channel: "gone"}},
	}
	told := []broker.Told{
		{Edge: hub.Edge{App: "1", Channel: "a"}, Turn: 7, Stamp: stamp},
		{Edge: hub.Edge{App: "1", Channel: "presence-a", UserID: "u", Member: true}, Turn: 300, Doubt: true, Open: 2, Stamp: stamp, After: hub.Stamp{Count: 299, Node: 5}, Teller: hub.Stamp{Count: 298, Node: 6}},
	}
	state := broker.State{Seq: 12, Closed: 290, Shares: shares, Told: told}
	snapshot := broker.Snapshot{
		State: broker.State{Seq: 12, Shares: shares, Told: told}, Request: 5, Part: 2, End: true, Fills: []hub.Relayed{{App: "1", Channel: "cache-a", Fill: fill}},
	}
	beat := broker.Beat{
		Count: 60, Hello: true, Seq: 12, Heard: 0xa1a2a3a4a5a6a7a8, Nodes: 3, View: 0xb1b2b3b4b5b6b7b8, Name: "node-1", Version: "v1.2.3",
		Started: 1_700_000_000, Connections: 1234, Closed: 300, Numbers: []uint64{0, 1000, 5},
	}
	termination := broker.Termination{Place: place, App: "1", UserID: "u"}
	recovered := broker.Recovered{
		Request: 9, Part: 1, End: true, Lost: []uint64{0, 4}, Messages: [][]byte{event.Append(nil, origin), []byte("x")},
	}
	loss := broker.Loss{All: true, Channels: []broker.ChannelOf{{App: "1", Channel: "a"}, {App: "2", Channel: "b"}}}
	owed := broker.Owed{Edges: []broker.OwedEdge{{Edge: told[0].Edge, Turn: 8}, {Edge: told[1].Edge, Turn: 301}}}
	question := broker.RecoverRequest{Request: 9, Newest: 3 * time.Second, After: []uint64{0, 999}}
	ask := broker.SnapshotRequest{Request: 8}
	marker := broker.Marker{Number: 400}
	return []sample{
		{"event", event.Append(nil, origin), event, namedReader(broker.ReadEvent)},
		{"event_fill", cached.Append(nil, origin), cached, namedReader(broker.ReadEvent)},
		{"event_follows", following.Append(nil, origin), following, namedReader(broker.ReadEvent)},
		{"termination", termination.Append(nil, origin), termination, namedReader(broker.ReadTermination)},
		{"state", state.Append(nil, origin), state, reader(broker.ReadState)},
		{"snapshot", snapshot.Append(nil, origin), snapshot, namedReader(broker.ReadSnapshot)},
		{"beat", beat.Append(nil, origin), beat, reader(broker.ReadBeat)},
		{"snapshot_request", ask.Append(nil, origin), ask, reader(broker.ReadSnapshotRequest)},
		{"recover_request", question.Append(nil, origin), question, reader(broker.ReadRecoverRequest)},
		{"recovered", recovered.Append(nil, origin), recovered, reader(broker.ReadRecovered)},
		{"marker", marker.Append(nil, origin), marker, reader(broker.ReadMarker)},
		{"ack", marker.AppendAck(nil, origin), marker, reader(broker.ReadMarker)},
		{"loss", loss.Append(nil, origin), loss, namedReader(broker.ReadLoss)},
		{"owed", owed.Append(nil, origin), owed, reader(broker.ReadOwed)},
	}
}

func TestMessagesAreReadAsTheyWereWritten(t *testing.T) {
	for _, s := range samples() {
		h, body, err := broker.Open(s.message)
		if err != nil || h.Origin != origin || !h.Kind.Known() {
			t.Errorf("%s: header %v, %v", s.name, h, err)
		}
		if got, err := s.read(body); err != nil || !reflect.DeepEqual(got, s.value) {
			t.Errorf("%s: got %+v, %v, want %+v", s.name, got, err, s.value)
		}
	}
}

// Nodes of two releases talk to each other during an upgrade. A file may be added,
// but never changed.
func TestMessagesKeepTheirForm(t *testing.T) {
	all := append(samples(), sample{name: "bye", message: broker.AppendBye(nil, origin)})
	for _, s := range all {
		file := filepath.Join("testdata", "messages", s.name+".hex")
		text := hex.Dump(s.message)
		if *update {
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		golden, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if string(golden) != text {
			t.Errorf("%s: got\n%s\nwant\n%s", s.name, text, golden)
		}
	}
}

// newer returns the message as a later release might send it: with further fields in
// the first group, and with further groups.
func newer(message []byte) []byte {
	const header = 10
	first := int(binary.BigEndian.Uint32(message[header:]))
	grown := append([]byte{}, message[:header]...)
	grown = binary.BigEndian.AppendUint32(grown, uint32(first+3))
	grown = append(grown, message[header+4:header+4+first]...)
	grown = append(grown, 0xff, 0x01, 'x')
	grown = append(grown, message[header+4+first:]...)
	for range 5 - groups(message) {
		grown = append(grown, 0, 0, 0, 0)
	}
	return append(grown, 0, 0, 0, 2, 0xff, 0xff)
}

func groups(message []byte) int {
	n := 0
	for rest := message[10:]; len(rest) > 0; n++ {
		rest = rest[4+binary.BigEndian.Uint32(rest):]
	}
	return n
}

func TestWhatIsAddedLaterIsSkipped(t *testing.T) {
	for _, s := range samples() {
		_, body, err := broker.Open(newer(s.message))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.read(body); err != nil || !reflect.DeepEqual(got, s.value) {
			t.Errorf("%s: got %+v, %v, want %+v", s.name, got, err, s.value)
		}
	}
}

func TestFieldsThatAreMissingAreZero(t *testing.T) {
	head := []byte{broker.Version, byte(broker.KindBeat), 1, 2, 3, 4, 5, 6, 7, 8}
	for _, c := range []struct {
		name string
		rest []byte
		want broker.Beat
	}{
		{"no groups", nil, broker.Beat{}},
		{"an empty group", []byte{0, 0, 0, 0}, broker.Beat{}},
		{"one field", []byte{0, 0, 0, 1, 5}, broker.Beat{Count: 5}},
	} {
		_, body, err := broker.Open(append(head[:10:10], c.rest...))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := broker.ReadBeat(body); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v", c.name, got, err)
		}
	}
}

// list returns a body whose second group holds one entry.
func list(entry []byte) broker.Body {
	b := []byte{0, 0, 0, 1, 1}
	b = binary.BigEndian.AppendUint32(b, uint32(len(entry)+1))
	b = append(b, byte(len(entry)))
	return append(b, entry...)
}

func TestEntriesThatAreNotUnderstoodAreSkipped(t *testing.T) {
	for _, c := range []struct {
		name    string
		entry   string
		ignored int
	}{
		{"a share with a further field", "\x01\x011\x01a\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00more", 0},
		{"a share of a new kind", "\x09\x011\x01a\x00\x00\x05\x00", 1},
		{"a channel name that is none", "\x01\x011\x01\xff\x00\x00\x05\x00", 1},
		{"no app", "\x01\x00\x01a\x00\x00\x05\x00", 1},
		{"a member without id", "\x02\x011\x0apresence-a\x00\x02\x00\x00", 1},
		{"an impossible count", "\x01\x011\x01a\x00\x00\xff\xff\xff\xff\xff\xff\xff\x7f\x00", 1},
		{"info that is no JSON", "\x02\x011\x0apresence-a\x01u\x02\x00\x00\x01{", 1},
		{"a string that is cut short", "\x01\x091", 1},
	} {
		s, err := broker.ReadState(list([]byte(c.entry)))
		if err != nil || s.Ignored != c.ignored || len(s.Shares) != 1-c.ignored {
			t.Errorf("%s: got %+v, %v", c.name, s, err)
		}
	}
}

func TestMessagesThatAreRefused(t *testing.T) {
	good := broker.Event{
		Place: broker.Place{Number: 1}, Relayed: hub.Relayed{App: "1", Channel: "a", Frame: frame("a", "x")},
	}
	change := func(f func(*broker.Event)) []byte {
		e := good
		f(&e)
		return e.Append(nil, origin)
	}
	bigger := append(protocol.Wire{}, good.Frame...)
	bigger[1]++
	for _, c := range []struct {
		name    string
		message []byte
		err     error
	}{
		{"nothing", nil, broker.ErrMalformed},
		{"a header that is cut short", []byte{broker.Version, 1, 2}, broker.ErrMalformed},
		{"another version", []byte{broker.Version + 1}, broker.ErrMajor},
		{"an empty body", good.Append(nil, origin)[:10], broker.ErrMalformed},
		{"a group that is cut short", good.Append(nil, origin)[:30], broker.ErrMalformed},
		{"no number", change(func(e *broker.Event) { e.Number = 0 }), broker.ErrMalformed},
		{"a lane that is none", change(func(e *broker.Event) { e.Lane = 1 << 20 }), broker.ErrMalformed},
		{"no app", change(func(e *broker.Event) { e.App = "" }), broker.ErrMalformed},
		{"a long app", change(func(e *broker.Event) { e.App = apps.ID(strings.Repeat("1", 201)) }), broker.ErrMalformed},
		{"a channel that is none", change(func(e *broker.Event) { e.Channel = "a b" }), broker.ErrMalformed},
		{"no frame and no fill", change(func(e *broker.Event) { e.Frame = nil }), broker.ErrMalformed},
		{"a frame that is cut short", change(func(e *broker.Event) { e.Frame = e.Frame[:5] }), broker.ErrMalformed},
		{"a frame that is longer than it says", change(func(e *broker.Event) { e.Frame = append(slices.Clip(e.Frame), 0) }), broker.ErrMalformed},
		{"a frame that says it is longer", change(func(e *broker.Event) { e.Frame = bigger }), broker.ErrMalformed},
		{"a close frame", change(func(e *broker.Event) { e.Frame = protocol.Wire{0x88, 0} }), broker.ErrMalformed},
		{"a masked frame", change(func(e *broker.Event) { e.Frame = protocol.Wire{0x81, 0x80, 0, 0, 0, 0} }), broker.ErrMalformed},
		{"a fill without event", change(func(e *broker.Event) { e.Fill = &hub.CacheFill{Data: protocol.Payload("1")} }), broker.ErrMalformed},
		{"a fill that is no JSON", change(func(e *broker.Event) { e.Fill = &hub.CacheFill{Event: "e", Data: protocol.Payload("{")} }), broker.ErrMalformed},
	} {
		_, body, err := broker.Open(c.message)
		if err == nil {
			_, err = broker.ReadEvent(body, &broker.Names{})
		}
		if !errors.Is(err, c.err) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.err)
		}
	}
}
