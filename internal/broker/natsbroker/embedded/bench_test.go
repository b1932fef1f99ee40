//go:build !noembedded

package embedded

import (
	"fmt"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// BenchmarkDo publishes batches of 300 bytes to channels that no node subscribes.
func BenchmarkDo(b *testing.B) {
	for _, batch := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			n := start(b, Options{})
			commands := make([]broker.Command, batch)
			for i := range commands {
				commands[i] = broker.Command{Subject: room(fmt.Sprintf("room-%d", i)), Message: make([]byte, 300)}
			}
			b.ReportAllocs()
			for b.Loop() {
				n.do(commands...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/message")
		})
	}
}

// BenchmarkReceive is a message of 300 bytes from one node to another: two servers and
// two clients in this process, one TCP connection.
func BenchmarkReceive(b *testing.B) {
	for _, batch := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			to := start(b, Options{})
			from := start(b, Options{Seeds: []string{to.addr}})
			talk(b, to, from)
			to.do(sub(room("a")))
			commands := make([]broker.Command, batch)
			for i := range commands {
				commands[i] = broker.Command{Subject: room("a"), Message: make([]byte, 300)}
			}
			for len(to.got) == 0 { // until the other server knows of the subscription
				from.do(commands[0])
			}
			talk(b, from, to)
			to.has("") // and nothing of that is left
			b.ReportAllocs()
			for b.Loop() {
				from.do(commands...)
				for range batch {
					<-to.got
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/message")
		})
	}
}
