package protocol_test

import (
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// Promises that the hot paths rely on: a client event allocates the frame that
// goes out and nothing else.
func TestAllocations(t *testing.T) {
	channels := map[protocol.ChannelName]int{"presence-room-with-a-name-of-more-than-32-bytes": 1}
	frame := []byte(`{"event":"client-typing-with-a-name-of-more-than-32-bytes",` +
		`"channel":"presence-room-with-a-name-of-more-than-32-bytes","data":{"on":true}}`)
	object := strictjson.Value(`{"a":` + strings.Repeat(`["text",1],`, 800) + `0}`)
	text := strictjson.Value(`"` + strings.Repeat(`{\"a\":\"text\"}`, 600) + `"`)
	lone := strictjson.Value(`"` + strings.Repeat(`\ud800 \u0001`, 50) + `"`)
	token := protocol.Payload(text)
	clientEvent := func(data strictjson.Value) func() {
		e := protocol.ClientEvent{Name: []byte("client-typing"), Channel: "presence-room", Data: data, UserID: "42"}
		return func() { e.Encode() }
	}
	for name, tt := range map[string]struct {
		want float64
		f    func()
	}{
		"parse a client event and find its channel": {0, func() {
			f, err := protocol.ParseFrame(frame)
			channel, ok := f.Channel.TextBytes()
			if err != nil || !ok || !f.IsClientEvent() || channels[protocol.ChannelName(channel)] != 1 {
				t.Error("frame not understood")
			}
			if protocol.DataExceeds(f.Data, 10_240) {
				t.Error("data exceeds the limit")
			}
		}},
		"payload of a string":                    {0, func() { protocol.PayloadOf(text) }},
		"payload of an object":                   {1, func() { protocol.PayloadOf(object) }},
		"size of a string":                       {0, func() { protocol.DataExceeds(text, 8_000) }},
		"encode an event":                        {1, func() { protocol.Event{Name: "my-event", Channel: "my-channel", Data: token, UserID: "42"}.Encode() }},
		"encode a client event, data an object":  {1, clientEvent(object)},
		"encode a client event, data a string":   {1, clientEvent(text)},
		"encode a client event, data 1 byte":     {1, clientEvent(strictjson.Value("1"))},
		"encode a client event, lone surrogates": {2, clientEvent(lone)},
		"answer a ping":                          {0, func() { protocol.Pong() }},
		"channel kind by name":                   {0, func() { protocol.ChannelName("presence-room").Kind() }},
	} {
		if n := testing.AllocsPerRun(100, tt.f); n != tt.want {
			t.Errorf("%s: %v allocations, want %v", name, n, tt.want)
		}
	}
}
