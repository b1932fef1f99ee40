package redisbroker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/test/engines"
)

// counter is a receiver that counts.
type counter struct {
	messages atomic.Int64
	up       chan struct{}
}

func (c *counter) Receive([]byte) { c.messages.Add(1) }
func (c *counter) Up()            { c.up <- struct{}{} }
func (c *counter) Down(error)     {}

func benchmarked(b *testing.B, url string) (*Engine, *counter) {
	b.Helper()
	e := engine(b, Options{URL: url})
	c := &counter{up: make(chan struct{}, 10)}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // ended in a cleanup
	var running sync.WaitGroup
	running.Go(func() { _ = e.Run(ctx, c) })
	b.Cleanup(func() {
		cancel()
		running.Wait()
	})
	<-c.up
	return e, c
}

func batchOf(n int, subject func(int) broker.Subject) []broker.Command {
	list := make([]broker.Command, n)
	for i := range list {
		list[i] = broker.Command{Op: broker.Publish, Subject: subject(i), Message: make([]byte, 300)}
	}
	return list
}

func rooms(i int) broker.Subject { return room(fmt.Sprintf("presence-room-%d", i%100)) }

// processorTime is what this process has used, without the server.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func redisURL(b *testing.B) string {
	b.Helper()
	return urlOf(engines.RedisFor(b))
}

func clusterURL(b *testing.B) string {
	b.Helper()
	return engines.StartFor(b, engines.RedisCluster).URL()
}

var kinds = []struct {
	name string
	url  func(*testing.B) string
}{{"standalone", redisURL}, {"cluster", clusterURL}}

// BenchmarkDo publishes 300 bytes in batches; the unit is a message.
func BenchmarkDo(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			e, _ := benchmarked(b, kind.url(b))
			for _, size := range []int{1, 16, 128} {
				b.Run(fmt.Sprintf("batch=%d", size), func(b *testing.B) {
					list := batchOf(size, rooms)
					b.ReportAllocs()
					b.ResetTimer()
					begin := processorTime(b)
					for done := 0; done < b.N; done += size {
						if err := e.Do(b.Context(), list); err != nil {
							b.Fatal(err)
						}
					}
					b.ReportMetric(float64(processorTime(b)-begin)/float64(b.N), "cpu-ns/op")
				})
			}
		})
	}
}

// BenchmarkReceive publishes in batches of 128 to a subscribed engine; the unit is a
// message, sent and received.
func BenchmarkReceive(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			url := kind.url(b)
			from, _ := benchmarked(b, url)
			to, got := benchmarked(b, url)
			list := batchOf(128, rooms)
			for i := range 100 {
				if err := to.Do(b.Context(), []broker.Command{{Op: broker.Subscribe, Subject: rooms(i)}}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			b.ResetTimer()
			begin, sent := processorTime(b), 0
			for ; sent < b.N; sent += len(list) {
				if err := from.Do(b.Context(), list); err != nil {
					b.Fatal(err)
				}
			}
			if err := to.Fence(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(processorTime(b)-begin)/float64(b.N), "cpu-ns/op")
			if got.messages.Load() != int64(sent) {
				b.Errorf("received %d of %d", got.messages.Load(), sent)
			}
		})
	}
}

// BenchmarkFence is one fence, with nothing before it.
func BenchmarkFence(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			e, _ := benchmarked(b, kind.url(b))
			b.ReportAllocs()
			for b.Loop() {
				if err := e.Fence(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSubscribe subscribes 50,000 channels in batches of 512, as after a
// reconnection, and unsubscribes them; the unit is all of that.
func BenchmarkSubscribe(b *testing.B) {
	for _, kind := range kinds {
		b.Run(kind.name, func(b *testing.B) {
			e, _ := benchmarked(b, kind.url(b))
			var lists [2][]broker.Command
			for i, op := range []broker.Op{broker.Subscribe, broker.Unsubscribe} {
				for j := range 50_000 {
					lists[i] = append(lists[i], broker.Command{Op: op, Subject: room(fmt.Sprintf("presence-room-%d", j))})
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, list := range lists {
					for len(list) > 0 {
						n := min(len(list), maxNames)
						if err := e.Do(b.Context(), list[:n]); err != nil {
							b.Fatal(err)
						}
						list = list[n:]
					}
				}
			}
		})
	}
}
