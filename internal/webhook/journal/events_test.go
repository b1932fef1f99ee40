package journal

import (
	"bytes"
	"slices"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

func TestDamagedEvents(t *testing.T) {
	whole := appendEvent(nil, webhook.UnsealedEvent{Seq: 1 << 50, Channel: 1 << 60, JSON: []byte(`{"a":1}`)})
	for n := 1; n < len(whole); n++ {
		if _, err := decodeEvents(whole[:n]); err == nil {
			t.Errorf("%d of %d bytes were accepted", n, len(whole))
		}
	}
}

func FuzzDecodeEvents(f *testing.F) {
	f.Add(appendEvent(appendEvent(nil, webhook.UnsealedEvent{Seq: 300, Channel: 5, JSON: []byte("{}")}), webhook.UnsealedEvent{}))
	f.Add([]byte{0x80, 0x80, 1, 1})
	f.Fuzz(func(t *testing.T, src []byte) {
		events, err := decodeEvents(src)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range events {
			again = appendEvent(again, e)
		}
		twice, err := decodeEvents(again)
		same := func(a, b webhook.UnsealedEvent) bool {
			return a.Seq == b.Seq && a.Channel == b.Channel && bytes.Equal(a.JSON, b.JSON)
		}
		if err != nil || !slices.EqualFunc(events, twice, same) {
			t.Fatalf("%v became %v, %v", events, twice, err)
		}
	})
}
