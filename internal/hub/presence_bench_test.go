package hub

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

const benchInfo = `{"name":"Ann Example","avatar":"https://cdn.example.com/a/123.png"}`

func benchText(i int) protocol.MemberText {
	return protocol.NewMemberText(fmt.Sprintf("user-%08d", i), benchInfo)
}

// One operation is a user's leave and another's join, with the three frames.
func BenchmarkMembers(b *testing.B) {
	for _, n := range []int{2, 50, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var m members
			all := make([]*member, n)
			for i := range all {
				all[i], _ = m.enter(benchText(i))
			}
			ids := make([]string, n)
			for i := range ids {
				ids[i] = all[i].UserID()
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				k := i * 7919 % n
				m.exit(all[k])
				sink += len(all[k].Removed("presence-a"))
				all[k], _ = m.enter(protocol.NewMemberText(ids[k], benchInfo))
				sink += len(all[k].Added("presence-a"))
				sink += len(m.snapshot("presence-a"))
			}
		})
	}
}

var sink int

// heapInUse returns the live heap in bytes.
func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

func BenchmarkMembersMemory(b *testing.B) {
	for _, n := range []int{1, 2, 5, 50, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			channels := make([]members, 100_000/n)
			before := heapInUse()
			for range b.N {
				clear(channels)
				for c := range channels {
					for i := range n {
						channels[c].enter(benchText(i))
					}
				}
			}
			b.ReportMetric(float64(heapInUse()-before)/float64(n*len(channels)), "B/member")
			runtime.KeepAlive(channels)
		})
	}
}

func BenchmarkUsersMemory(b *testing.B) {
	for _, watched := range []int{0, 20} {
		for _, conns := range []int{1, 2, 5} {
			b.Run(fmt.Sprintf("%d connections, %d watched", conns, watched), func(b *testing.B) {
				const users = 10_000
				t := &tenant{hub: &Hub{}, users: make(map[string]*user)}
				all := make([]Attachment, users*conns)
				before := heapInUse()
				for range b.N {
					for i := range all {
						a := &all[i]
						a.tenant, a.outlet = t, quiet{}
						text := fmt.Sprintf(`{"id":"user-%08d","user_info":%s,"watchlist":[`, i%users, benchInfo)
						for w := range watched {
							if w > 0 {
								text += ","
							}
							text += fmt.Sprintf(`"user-%08d"`, (i+w*37)%users)
						}
						s, err := parseUserData(text+"]}", 100)
						if err != nil {
							b.Fatal(err)
						}
						a.signInAs(nil, s, "", 100)
					}
				}
				b.ReportMetric(float64(heapInUse()-before)/float64(len(all)), "B/connection")
				runtime.KeepAlive(all)
				runtime.KeepAlive(t)
			})
		}
	}
}

// quiet is an outlet that wants nothing.
type quiet struct{}

func (quiet) Deliver(protocol.Wire) error { return nil }

// DeliverCopy implements CopyingOutlet.
func (quiet) DeliverCopy([]byte) error { return nil }
