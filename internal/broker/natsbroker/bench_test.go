package natsbroker

import (
	"fmt"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// BenchmarkDo publishes batches of 300 bytes to a channel that nobody subscribes, which
// a server on the same machine confirms.
func BenchmarkDo(b *testing.B) {
	for _, batch := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			s, _ := startServer(b, nil)
			n := started(b, Options{URL: clientURL(s)})
			commands := make([]broker.Command, batch)
			for i := range commands {
				commands[i] = broker.Command{Subject: room(fmt.Sprintf("room-%d", i)), Message: make([]byte, 300)}
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := n.Do(b.Context(), commands); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/message")
		})
	}
}

// BenchmarkReceive is a message of 300 bytes from one node through a server to another,
// all in this process; it says what the three cost together.
func BenchmarkReceive(b *testing.B) {
	s, _ := startServer(b, nil)
	to, from := started(b, Options{URL: clientURL(s)}), started(b, Options{URL: clientURL(s)})
	to.do(sub(room("a")))
	const batch = 128
	commands := make([]broker.Command, batch)
	for i := range commands {
		commands[i] = broker.Command{Subject: room("a"), Message: make([]byte, 300)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := from.Do(b.Context(), commands); err != nil {
			b.Fatal(err)
		}
		for range batch {
			<-to.got
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/message")
}

// BenchmarkSubscribe is a subscription in a batch of 512.
func BenchmarkSubscribe(b *testing.B) {
	s, _ := startServer(b, nil)
	n := started(b, Options{URL: clientURL(s)})
	const batch = 512
	commands := make([]broker.Command, batch)
	next := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := range commands {
			commands[i] = sub(room(fmt.Sprintf("presence-room-%d", next)))
			next++
		}
		n.do(commands...)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/subscription")
}
