package history

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// checkPaging holds several pagers that go on while events are appended and
// expire against a list that is sorted and filtered.
func checkPaging(t *rapid.T, m *manual) {
	type kept struct {
		name string
		at   position
	}
	type pager struct {
		oldest bool
		cursor string
		at     position
		seen   map[string]bool
		ended  bool
	}
	channels := []string{"a", "b"}
	model := make(map[string][]kept)
	pagers := make(map[string]*pager)
	n := 0
	t.Repeat(map[string]func(*rapid.T){
		"append": func(t *rapid.T) {
			for range rapid.IntRange(1, 20).Draw(t, "events") {
				channel := rapid.SampledFrom(channels).Draw(t, "channel")
				m.append(channel, fmt.Sprint(n), "x")
				model[channel] = append(model[channel], kept{fmt.Sprint(n), position{m.log.buffer.lastMS, int64(n)}})
				n++
				if rapid.IntRange(0, 3).Draw(t, "tick") == 0 {
					m.clock = m.clock.Add(time.Millisecond)
				}
			}
			m.flush()
		},
		"set the clock": func(t *rapid.T) {
			m.clock = m.clock.Add(time.Duration(rapid.IntRange(-70, 70).Draw(t, "seconds")) * time.Second)
		},
		"expire": func(t *rapid.T) {
			age := time.Duration(rapid.IntRange(1, 60_000).Draw(t, "age")) * time.Millisecond
			m.limit("1", func(h *apps.History) { h.MaxAge = age })
			m.trim()
			m.limit("1", nil)
			cutoff := m.clock.Add(-age).UnixMilli()
			stays := int64(n) // the first in order of acceptance that may stay, and all after it
			for _, events := range model {
				for _, e := range events {
					if e.at.timeMS >= cutoff {
						stays = min(stays, e.at.id)
					}
				}
			}
			for channel := range model {
				model[channel] = slices.DeleteFunc(model[channel], func(e kept) bool { return e.at.id < stays })
			}
		},
		"page": func(t *rapid.T) {
			channel := rapid.SampledFrom(channels).Draw(t, "channel")
			oldest := rapid.Bool().Draw(t, "oldest first")
			key := fmt.Sprint(channel, oldest)
			p := pagers[key]
			if p == nil || p.ended {
				p = &pager{oldest: oldest, at: afterAll, seen: make(map[string]bool)}
				if oldest {
					p.at = beforeAll
				}
				pagers[key] = p
			}
			limit := rapid.IntRange(1, 8).Draw(t, "limit")
			page := m.page(channel, limited(limit), after(p.cursor), func(q *hub.HistoryQuery) { q.OldestFirst = oldest })

			var want []kept
			for _, e := range model[channel] {
				if c := e.at.compare(p.at); c < 0 && !oldest || c > 0 && oldest {
					want = append(want, e)
				}
			}
			slices.SortFunc(want, func(a, b kept) int {
				if oldest {
					return a.at.compare(b.at)
				}
				return b.at.compare(a.at)
			})
			more := len(want) > limit
			want = want[:min(limit, len(want))]
			var wanted []string
			for _, e := range want {
				wanted = append(wanted, e.name)
				if p.seen[e.name] {
					t.Fatalf("%s comes again", e.name)
				}
				p.seen[e.name] = true
				p.at = e.at
			}
			if got := names(page); got != strings.Join(wanted, " ") || (page.Next != "") != more {
				t.Fatalf("page %q, next %q; want %q, more %v", got, page.Next, wanted, more)
			}
			p.cursor, p.ended = page.Next, page.Next == ""
		},
	})
}
