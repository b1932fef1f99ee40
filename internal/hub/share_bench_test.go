package hub

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// deaf is a relay to nobody.
type deaf struct{ ear }

// Changed implements Relay.
func (*deaf) Changed(ShareKey) {}

// memoryOf reports what n of something take, made by add, per piece.
func memoryOf(b *testing.B, n int, unit string, add func(f *fixture, i int)) {
	b.Helper()
	f := newRelayedFixture(b, nil, &deaf{})
	f.hub.notices = DiscardNotices{}
	before := heapInUse()
	for b.Loop() {
		for i := range n {
			add(f, i)
		}
	}
	b.ReportMetric(float64(heapInUse()-before)/float64(n), "B/"+unit)
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*b.N), "ns/"+unit)
	runtime.KeepAlive(f)
}

// What this node keeps of what is on others only; names and ids of 16 bytes.
// Benchmarks of memory are run with -benchtime=1x.
func BenchmarkFarMemory(b *testing.B) {
	const n = 100_000
	for _, nodes := range []Node{1, 3} {
		b.Run(fmt.Sprintf("channel/nodes=%d", nodes), func(b *testing.B) {
			memoryOf(b, n, "channel", func(f *fixture, i int) {
				name := protocol.ChannelName(fmt.Sprintf("channel-%08d", i))
				for node := range nodes {
					f.has(node, name, 1)
				}
			})
		})
		b.Run(fmt.Sprintf("member/nodes=%d", nodes), func(b *testing.B) {
			memoryOf(b, n, "member", func(f *fixture, i int) {
				name := protocol.ChannelName(fmt.Sprintf("presence-%04d", i%10))
				for node := range nodes {
					f.hasMember(node, name, fmt.Sprintf("user-%011d", i), benchInfo, uint64(i))
				}
			})
		})
		b.Run(fmt.Sprintf("user/nodes=%d", nodes), func(b *testing.B) {
			memoryOf(b, n, "user", func(f *fixture, i int) {
				for node := range nodes {
					f.hub.Apply(node, Share{ShareKey: userKey(fmt.Sprintf("user-%011d", i)), Present: true})
				}
			})
		})
	}
}

// One operation is a share of another node that changes, and changes back.
func BenchmarkApply(b *testing.B) {
	setUp := func(b *testing.B) *fixture {
		b.Helper()
		f := newRelayedFixture(b, nil, &deaf{})
		f.hub.notices = DiscardNotices{}
		for i := range 1000 {
			f.has(2, protocol.ChannelName(fmt.Sprint("c", i)), 1)
			f.hasMember(2, "presence-c", fmt.Sprint("u", i), benchInfo, 1)
		}
		return f
	}
	b.Run("channel", func(b *testing.B) {
		f := setUp(b)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			f.has(1, "c7", 1+i%2)
		}
	})
	b.Run("channel that comes and goes", func(b *testing.B) {
		f := setUp(b)
		b.ReportAllocs()
		for b.Loop() {
			f.has(1, "c", 1)
			f.has(1, "c", 0)
		}
	})
	b.Run("member that comes and goes", func(b *testing.B) {
		f := setUp(b)
		b.ReportAllocs()
		for b.Loop() {
			f.hasMember(1, "presence-c", "u", benchInfo, 1)
			f.lacksMember(1, "presence-c", "u")
		}
	})
	b.Run("member told again", func(b *testing.B) {
		f := setUp(b)
		b.ReportAllocs()
		for b.Loop() {
			f.hasMember(2, "presence-c", "u7", benchInfo, 1)
		}
	})
	b.Run("user that comes and goes", func(b *testing.B) {
		f := setUp(b)
		b.ReportAllocs()
		for b.Loop() {
			f.hub.Apply(1, Share{ShareKey: userKey("u"), Present: true})
			f.hub.Apply(1, Share{ShareKey: userKey("u")})
		}
	})
}

// One operation is an event of another node for a channel of a few subscribers.
func BenchmarkDeliver(b *testing.B) {
	for _, subs := range []int{3, 1000} {
		b.Run(fmt.Sprintf("subs=%d", subs), func(b *testing.B) {
			f := newRelayedFixture(b, nil, &deaf{})
			f.crowded("my-channel", subs)
			r := relayed("my-channel", "my-event", "text")
			b.ReportAllocs()
			for b.Loop() {
				f.hub.Deliver(nil, 1, r)
				f.hub.drains.wait()
			}
		})
	}
}

// One operation forgets a node that has 10,000 channels and as many members, and hears
// of them again.
func BenchmarkForget(b *testing.B) {
	const n = 10_000
	f := newRelayedFixture(b, nil, &deaf{})
	f.hub.notices = DiscardNotices{}
	for b.Loop() {
		for i := range n {
			f.has(1, protocol.ChannelName(fmt.Sprintf("channel-%08d", i)), 1)
			f.hasMember(1, protocol.ChannelName(fmt.Sprintf("presence-%04d", i%10)), fmt.Sprintf("user-%011d", i), benchInfo, 1)
		}
		f.hub.Forget(1)
	}
}
