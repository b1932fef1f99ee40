package session

import (
	"fmt"
	"log/slog"
	"testing"
)

// One operation is what a turn of client events causes, one of each sender: from
// the messages that are read to the last write.
func BenchmarkClientEvent(b *testing.B) {
	for _, members := range []int{3, 64, 100, 1000} {
		for _, senders := range []int{1, 3} {
			b.Run(fmt.Sprintf("members=%d/senders=%d", members, senders), func(b *testing.B) {
				r := newRoom(b, "private-room", members, slog.New(slog.DiscardHandler), nil)
				message := fmt.Appendf(nil, `{"event":"client-typing","channel":"private-room","data":{"text":"%0200d"}}`, 0)
				b.ReportAllocs()
				for b.Loop() {
					r.relay(senders, message)
				}
			})
		}
	}
}
