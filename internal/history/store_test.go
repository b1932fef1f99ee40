package history

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func TestSQLite(t *testing.T) {
	testStore(t, func(testing.TB) store { return sqliteFile(t) })
}

// testStore holds for every database. fresh returns a store without events.
func testStore(t *testing.T, fresh func(testing.TB) store) {
	for name, test := range map[string]func(*testing.T, *manual){
		"what is kept":                  testFields,
		"order and span":                testSpans,
		"pages of few bytes":            testPageBytes,
		"retention by age":              testAge,
		"retention by bytes":            testBytes,
		"bounds of apps that are gone":  testGoneApps,
		"a clock that is set back":      testClock,
		"apps and channels do not meet": testIsolation,
	} {
		t.Run(name, func(t *testing.T) { test(t, newManual(t, fresh(t))) })
	}
	t.Run("pages while events come and go", func(t *testing.T) {
		m := newManual(t, fresh(t))
		rapid.Check(t, func(rt *rapid.T) {
			checkPaging(rt, m)
			m.clock = m.clock.Add(1000 * time.Hour)
			m.limit("1", func(h *apps.History) { h.MaxAge = time.Millisecond })
			m.trim()
			m.limit("1", nil)
		})
	})
}

// manual is a log whose work is done when a test says so, in a time that a test
// sets.
type manual struct {
	*fixture
	writer *writer
	clock  time.Time
}

func newManual(t testing.TB, s store) *manual {
	t.Helper()
	m := &manual{clock: time.UnixMilli(1_700_000_000_000)}
	m.fixture = newFixture(t, s, func(o *Options) { o.Now = func() time.Time { return m.clock } })
	m.writer = &writer{Log: m.log}
	if err := m.log.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// add appends an event and writes it.
func (m *manual) add(channel, name, data string) {
	m.append(channel, name, data)
	m.flush()
}

func (m *manual) flush() {
	m.t.Helper()
	if err := m.writer.once(context.Background()); err != nil {
		m.t.Fatal(err)
	}
}

// once writes what waits, without another attempt.
func (w *writer) once(ctx context.Context) error {
	w.taken = w.buffer.take(w.taken[:0], 1<<20)
	w.read()
	w.number++
	if err := w.store.write(ctx, &batch{w.number, w.events}); err != nil {
		return err
	}
	w.buffer.done(w.taken)
	return nil
}

// trim deletes all that has to go.
func (m *manual) trim() {
	m.t.Helper()
	if s, ok := m.log.store.(*postgresStore); ok {
		s.nextTrim = time.Time{}
	}
	for more := true; more; {
		done, err := m.log.store.trim(context.Background(), m.clock, m.log.limitsOf)
		if err != nil {
			m.t.Fatal(err)
		}
		more = false
		for _, t := range done {
			m.log.metrics.trimmed(t)
			more = more || t.more
		}
	}
}

func testFields(t *testing.T, m *manual) {
	const encrypted = `{"nonce":"4sVYwy4j/8dCcjyxtPCWyk19GaaViaW9","ciphertext":"/GMESnFGlbNn01BuBjp31XYa3i9vZsGKR8fgR9EDhXKx3lzGiUD501A="}`
	want := []hub.PastEvent{
		{Name: "a", Data: protocol.Payload(`"{\"x\": \"\u00e9\u0000\/\"}"`)},
		{Name: "ü \"<&>\" \U0001f600 '); DROP TABLE events; --", Data: protocol.Payload(`""`)},
		{Name: strings.Repeat("n", 200), Data: protocol.PayloadOfText(encrypted)},
		{Name: "client-e", Data: protocol.PayloadOfText(strings.Repeat("long \x01\u2028", 100_000)), SocketID: "123.456", UserID: "ann \" ü"},
	}
	for i := range want {
		m.appendTo("1", protocol.Event{Channel: "presence-c", Name: want[i].Name, Data: want[i].Data, UserID: want[i].UserID}, want[i].SocketID)
		want[i].Time = m.clock
		m.clock = m.clock.Add(time.Millisecond)
	}
	m.flush()
	got := m.page("presence-c", oldestFirst)
	seen := make(map[string]bool)
	for i := range got.Events {
		if e := &got.Events[i]; e.ID == "" || seen[e.ID] {
			t.Errorf("event %d has the id %q", i, e.ID)
		} else {
			seen[e.ID] = true
			e.ID = ""
		}
	}
	if !reflect.DeepEqual(got, hub.HistoryPage{Events: want}) {
		t.Errorf("kept %.3000v\nwant %.3000v", got, want)
	}
}

func testSpans(t *testing.T, m *manual) {
	start := m.clock
	for i := range 10 { // two in each millisecond
		m.add("c", fmt.Sprint(i), "")
		if i%2 == 1 {
			m.clock = m.clock.Add(time.Millisecond)
		}
	}
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	span := func(from, to int) func(*hub.HistoryQuery) {
		return func(q *hub.HistoryQuery) {
			if from >= 0 {
				q.From = at(from)
			}
			if to >= 0 {
				q.To = at(to)
			}
		}
	}
	for _, tt := range []struct {
		name   string
		change []func(*hub.HistoryQuery)
		pages  []string
	}{
		{"newest first", nil, []string{"9 8 7 6 5 4 3 2 1 0"}},
		{"oldest first", []func(*hub.HistoryQuery){oldestFirst}, []string{"0 1 2 3 4 5 6 7 8 9"}},
		{"newest by threes", []func(*hub.HistoryQuery){limited(3)}, []string{"9 8 7", "6 5 4", "3 2 1", "0"}},
		{"oldest by threes", []func(*hub.HistoryQuery){oldestFirst, limited(3)}, []string{"0 1 2", "3 4 5", "6 7 8", "9"}},
		{"exactly one page", []func(*hub.HistoryQuery){limited(10)}, []string{"9 8 7 6 5 4 3 2 1 0"}},
		{"exactly two pages", []func(*hub.HistoryQuery){oldestFirst, limited(5)}, []string{"0 1 2 3 4", "5 6 7 8 9"}},
		{"from", []func(*hub.HistoryQuery){span(3, -1)}, []string{"9 8 7 6"}},
		{"to", []func(*hub.HistoryQuery){span(-1, 3)}, []string{"5 4 3 2 1 0"}},
		{"from and to", []func(*hub.HistoryQuery){span(1, 4), limited(4)}, []string{"7 6 5 4", "3 2"}},
		{"from and to, oldest first", []func(*hub.HistoryQuery){span(1, 4), oldestFirst, limited(4)}, []string{"2 3 4 5", "6 7"}},
		{"nothing between", []func(*hub.HistoryQuery){span(2, 2)}, []string{""}},
		{"to before from", []func(*hub.HistoryQuery){span(3, 1), oldestFirst}, []string{""}},
		{"from the end of time", []func(*hub.HistoryQuery){func(q *hub.HistoryQuery) { q.From = time.UnixMilli(1 << 62) }}, []string{""}},
		{"to the end of time", []func(*hub.HistoryQuery){func(q *hub.HistoryQuery) { q.To = time.UnixMilli(1 << 62) }, limited(1)}, []string{"9", "8", "7", "6", "5", "4", "3", "2", "1", "0"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cursor := ""
			for i, want := range tt.pages {
				page := m.page("c", append(slices.Clone(tt.change), after(cursor))...)
				if got := names(page); got != want || (page.Next == "") != (i == len(tt.pages)-1) {
					t.Errorf("page %d has %q, next %q; want %q", i, got, page.Next, want)
				}
				cursor = page.Next
			}
		})
	}
	t.Run("a cursor goes on in the other direction", func(t *testing.T) {
		page := m.page("c", limited(3))
		if got := names(m.page("c", oldestFirst, after(page.Next))); got != "8 9" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("a cursor within a span", func(t *testing.T) {
		page := m.page("c", limited(5)) // up to 5, in the third millisecond
		if got := names(m.page("c", span(4, -1), after(page.Next))); got != "" {
			t.Errorf("got %q", got)
		}
		if got := names(m.page("c", span(1, 2), after(page.Next))); got != "3 2" {
			t.Errorf("got %q", got)
		}
	})
}

func testPageBytes(t *testing.T, m *manual) {
	for i := range 6 {
		m.add("c", fmt.Sprint(i), strings.Repeat("x", pageBytes*2/5))
	}
	m.add("c", "huge", strings.Repeat("x", 2*pageBytes))
	m.add("c", "last", "")
	var pages []string
	for page := m.page("c", oldestFirst); ; page = m.page("c", oldestFirst, after(page.Next)) {
		pages = append(pages, names(page))
		if page.Next == "" {
			break
		}
	}
	if want := []string{"0 1", "2 3", "4 5", "huge", "last"}; !slices.Equal(pages, want) {
		t.Errorf("pages %q, want %q", pages, want)
	}
}

func testAge(t *testing.T, m *manual) {
	m.limit("1", func(h *apps.History) { h.MaxAge = 10 * time.Second })
	for i := range 20 {
		m.add("c", fmt.Sprint(i), "")
		m.add("other", fmt.Sprint(i), "")
		m.appendTo("2", protocol.Event{Channel: "c", Name: "2", Data: protocol.Payload(`""`)}, "")
		m.flush()
		m.clock = m.clock.Add(time.Second)
	}
	m.clock = m.clock.Add(-5 * time.Second) // to 15 s
	for _, tt := range []struct {
		after time.Duration
		want  string
	}{
		{0, "5 6 7 8 9 10 11 12 13 14 15 16 17 18 19"},
		{time.Millisecond, "6 7 8 9 10 11 12 13 14 15 16 17 18 19"},
		{time.Minute, ""},
	} {
		m.clock = m.clock.Add(tt.after)
		m.trim()
		for _, channel := range []string{"c", "other"} {
			if got := names(m.page(channel, oldestFirst)); got != tt.want {
				t.Errorf("%v later %s has %q, want %q", tt.after, channel, got, tt.want)
			}
		}
	}
	others := m.page("c", func(q *hub.HistoryQuery) { q.App = "2" })
	if len(others.Events) != 20 {
		t.Errorf("the other app has %d events, want all 20", len(others.Events))
	}
	if got := m.metric("stored_bytes", "app=1"); got != 0 {
		t.Errorf("%v bytes are left of none", got)
	}
	if got := m.metric("events_expired_total"); got != 40 {
		t.Errorf("%v expired, want 40", got)
	}
	before := m.page("c", func(q *hub.HistoryQuery) { q.App = "2" }).Events[0].ID
	m.add("c", "again", "")
	if after := m.page("c").Events[0].ID; after == before {
		t.Errorf("an id was given twice: %s", after)
	}
}

func testBytes(t *testing.T, m *manual) {
	const each = rowBytes + 3 + 100 + 2 + 7 // name, data with quotes, socket id
	m.limit("1", func(h *apps.History) { h.MaxBytes = 10*each + each/2 })
	const all = trimRows + 100 // more than go at once
	for i := range all {
		m.appendTo("1", protocol.Event{
			Channel: protocol.ChannelName(fmt.Sprint("c", i%3)), Name: fmt.Sprintf("%03d", i%1000),
			Data: protocol.PayloadOfText(strings.Repeat("é", 50)),
		}, "123.456")
	}
	m.flush()
	m.trim()
	kept := len(m.page("c0").Events) + len(m.page("c1").Events) + len(m.page("c2").Events)
	if kept != 10 {
		t.Errorf("%d events are left, want 10", kept)
	}
	if got := m.metric("stored_bytes", "app=1"); got != 10*each {
		t.Errorf("%v bytes are left, want %d", got, 10*each)
	}
	last := fmt.Sprintf("%03d", (all-1)%1000)
	if got := m.page(fmt.Sprint("c", (all-1)%3)).Events[0].Name; got != last {
		t.Errorf("the newest is %s, want %s", got, last)
	}
	m.limit("1", nil)
	m.add("c0", "more", "")
	m.trim()
	if got := m.metric("stored_bytes", "app=1"); got <= 10*each {
		t.Errorf("%v bytes without a bound", got)
	}
}

// Events of an app that is gone keep the bounds of its last days.
func testGoneApps(t *testing.T, m *manual) {
	m.limit("1", func(h *apps.History) { h.MaxAge = time.Hour })
	m.add("c", "a", "")
	m.trim()
	m.limit("1", func(h *apps.History) { h.MaxAge = 2 * time.Hour }) // without another event
	m.trim()
	if err := m.registry.Replace(m.registry.ByID("2")); err != nil {
		t.Fatal(err)
	}
	m.clock = m.clock.Add(2 * time.Hour)
	m.trim()
	if got := names(m.page("c")); got != "a" {
		t.Errorf("within its time: %q", got)
	}
	m.clock = m.clock.Add(time.Millisecond)
	m.trim()
	if got := names(m.page("c")); got != "" {
		t.Errorf("past its time: %q", got)
	}
}

func testClock(t *testing.T, m *manual) {
	m.add("c", "a", "")
	m.clock = m.clock.Add(-time.Minute)
	m.add("c", "b", "") // a small step: not before a
	m.clock = m.clock.Add(-time.Hour)
	m.add("c", "d", "") // a large one is believed
	page := m.page("c", oldestFirst)
	if got := names(page); got != "d a b" {
		t.Fatalf("order %q", got)
	}
	if e := page.Events; !e[1].Time.Equal(e[2].Time) || !e[0].Time.Equal(m.clock) {
		t.Errorf("times %v, %v, %v", e[0].Time, e[1].Time, e[2].Time)
	}
}

func testIsolation(t *testing.T, m *manual) {
	for _, id := range []apps.ID{"1", "2"} {
		for _, channel := range []protocol.ChannelName{"c", "C", "cc", "#server-to-user-c"} {
			m.appendTo(id, protocol.Event{Channel: channel, Name: string(id) + string(channel), Data: protocol.Payload(`"1"`)}, "")
		}
	}
	m.flush()
	for _, id := range []apps.ID{"1", "2", "3"} {
		for _, channel := range []string{"c", "C", "cc", "#server-to-user-c", "none", ""} {
			want := string(id) + channel
			if id == "3" || channel == "none" || channel == "" {
				want = ""
			}
			if got := names(m.page(channel, func(q *hub.HistoryQuery) { q.App = id })); got != want {
				t.Errorf("app %s, channel %q: %q", id, channel, got)
			}
		}
	}
}
