package history

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// The file gets smaller when events go, and channels without events go with them.
func TestSQLiteGivesRoomBack(t *testing.T) {
	m := newManual(t, sqliteFile(t))
	s := m.log.store.(*sqliteStore)
	const all = 2000
	for i := range all {
		m.append(fmt.Sprint("c", i/2), "e", strings.Repeat("x", 10_000))
		if i%1000 == 999 {
			m.flush()
		}
	}
	size := func() int64 {
		t.Helper()
		if _, err := s.writer.conn.ExecContext(t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(s.path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	full := size()
	m.limit("1", func(h *apps.History) { h.MaxAge = time.Second })
	m.clock = m.clock.Add(time.Minute)
	m.trim()
	for range 20 { // each gives back up to 8 MiB
		m.trim()
	}
	if got := size(); got > sparePages*4096*5/4 || full < 4*got {
		t.Errorf("%d bytes became %d", full, got)
	}
	var channels int
	if err := s.db.QueryRowContext(t.Context(), "SELECT count(*) FROM channels").Scan(&channels); err != nil || channels != 0 {
		t.Errorf("%d channels are left, %v", channels, err)
	}
	if len(s.writer.channels) != 0 {
		t.Errorf("%d channels are remembered", len(s.writer.channels))
	}
	m.add("c7", "again", "")
	if got := names(m.page("c7")); got != "again" {
		t.Errorf("after that: %q", got)
	}
}

// A page needs no sorting, wherever it begins.
func TestSQLitePagesComeFromTheIndex(t *testing.T) {
	m := newManual(t, sqliteFile(t))
	for name, text := range map[string]string{"newest": sqliteNewest, "oldest": sqliteOldest} {
		rows, err := m.log.store.(*sqliteStore).db.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, 1, 2, 3, 4, 5, 6)
		if err != nil {
			t.Fatal(err)
		}
		var plan []string
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, detail)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		if len(plan) != 1 || !strings.HasPrefix(plan[0], "SEARCH events USING INDEX events_by_channel (channel=? AND time_ms>? AND time_ms<?)") {
			t.Errorf("%s: %q", name, plan)
		}
	}
}

// The view is what people look at.
func TestSQLiteView(t *testing.T) {
	m := newManual(t, sqliteFile(t))
	m.appendTo("1", protocol.Event{Channel: "presence-c", Name: "client-e", Data: protocol.Payload(`"{\"x\":\"\u00e9\"}"`), UserID: "ann"}, "1.2")
	m.flush()
	var got string
	err := m.log.store.(*sqliteStore).db.QueryRowContext(t.Context(),
		"SELECT app || ' ' || channel || ' ' || time || ' ' || event || ' ' || data || ' ' || socket_id || ' ' || user_id FROM history").Scan(&got)
	if want := `1 presence-c 2023-11-14T22:13:20.000Z client-e {"x":"é"} 1.2 ann`; err != nil || got != want {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}
