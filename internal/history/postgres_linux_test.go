package history

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestPostgres(t *testing.T) {
	server := testkit.NewPostgres(t)
	server.Start()
	schemas := 0
	testStore(t, func(t testing.TB) store {
		schemas++
		return postgresIn(t, server, fmt.Sprint("s", schemas))
	})
}

// postgresIn is a store in a schema of its own.
func postgresIn(t testing.TB, server *testkit.Postgres, schema string) *postgresStore {
	t.Helper()
	server.Query("CREATE SCHEMA " + schema)
	s, err := newPostgresStore(server.URL() + "&search_path=" + schema)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPostgresDetails(t *testing.T) {
	server := testkit.NewPostgres(t)
	server.Start()

	t.Run("a batch whose commit seemed to fail is not written twice", func(t *testing.T) {
		m := newManual(t, postgresIn(t, server, "twice"))
		m.append("c", "a", "")
		m.writer.taken = m.log.buffer.take(nil, 1)
		m.writer.read()
		for range 2 {
			if err := m.log.store.write(t.Context(), &batch{1, m.writer.events}); err != nil {
				t.Fatal(err)
			}
		}
		m.log.buffer.done(m.writer.taken)
		if got := names(m.page("c")); got != "a" {
			t.Errorf("kept %q", got)
		}
		m.writer.number = 1
		m.add("c", "b", "")
		if got := names(m.page("c")); got != "b a" {
			t.Errorf("kept %q", got)
		}
	})

	t.Run("two servers write and trim in one database", func(t *testing.T) {
		first := newManual(t, postgresIn(t, server, "shared"))
		s, err := newPostgresStore(server.URL() + "&search_path=shared")
		if err != nil {
			t.Fatal(err)
		}
		second := newManual(t, s)
		for i := range 5 {
			first.add("c", fmt.Sprint("1-", i), "")
			second.add("c", fmt.Sprint("2-", i), "")
			first.clock = first.clock.Add(time.Second)
			second.clock = first.clock
		}
		const want = "1-0 2-0 1-1 2-1 1-2 2-2 1-3 2-3 1-4 2-4"
		if got := names(first.page("c", oldestFirst)); got != want {
			t.Errorf("the first has %q", got)
		}
		second.clock = second.clock.Add(1000 * time.Hour)
		first.clock = second.clock
		second.trim() // without bounds
		if got := names(second.page("c", oldestFirst)); got != want {
			t.Errorf("the second has %q", got)
		}
	})

	t.Run("texts that PostgreSQL cannot hold", func(t *testing.T) {
		m := newManual(t, postgresIn(t, server, "nul"))
		m.appendTo("1", protocol.Event{Channel: "c", Name: "a\x00b", Data: protocol.Payload(`"\u0000\ud83d\ude00"`), UserID: "\x00"}, "")
		m.flush()
		e := m.page("c").Events[0]
		if e.Name != "a\uFFFDb" || e.UserID != "\uFFFD" || string(e.Data) != `"\u0000\ud83d\ude00"` {
			t.Errorf("kept %+v", e)
		}
	})

	t.Run("people read it", func(t *testing.T) {
		m := newManual(t, postgresIn(t, server, "people"))
		m.add("c", "e", `{"x":"é"}`)
		got := server.Query("SELECT app, channel, name, data #>> '{}', (data #>> '{}')::json ->> 'x' FROM people.pipesocketd_history")
		if want := "1|c|e|{\"x\":\"é\"}|é\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})

	t.Run("a schema of a later release", func(t *testing.T) {
		s := postgresIn(t, server, "later")
		if err := s.open(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = s.close()
		server.Query("INSERT INTO later.pipesocketd_history_schema VALUES (99)")
		again, err := newPostgresStore(server.URL() + "&search_path=later")
		if err != nil {
			t.Fatal(err)
		}
		if err := again.open(t.Context()); err == nil || !strings.Contains(err.Error(), "version 99") {
			t.Errorf("error %v", err)
		}
	})
}

func TestPostgresURLs(t *testing.T) {
	for _, url := range []string{
		"", "history.db", "mysql://u:sesame@h/d", "host=h password=sesame", "postgres://u:sesame@h:none/d",
		"postgres://u:sesame@h/d?sslmode=sesame", "postgres://u:ses%ame@h/d",
	} {
		if _, err := newPostgresStore(url); err == nil || strings.Contains(err.Error(), "ame") && strings.Contains(err.Error(), "ses") {
			t.Errorf("%s: error %v", url, err)
		}
	}
}

// A server that is not there at the start, that dies, and that hangs costs no
// event, and nobody who appends waits.
func TestPostgresThatFails(t *testing.T) {
	server := testkit.NewPostgres(t)
	s, err := newPostgresStore(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	s.limit = time.Second
	f := newFixture(t, s)
	f.run()
	var n atomic.Int64
	var slowest time.Duration
	add := func(events int) {
		for range events {
			began := time.Now()
			f.append("c", fmt.Sprint(n.Add(1)), "x")
			slowest = max(slowest, time.Since(began))
		}
	}
	logged := func(message string, times int) {
		t.Helper()
		testkit.WaitFor(t, func() bool { return len(f.capture.Find(message)) == times }, fmt.Sprintf("%q for the time %d", message, times))
	}
	add(100)
	logged("history cannot be written, events wait", 1)
	server.Start()
	logged("history is written again", 1)
	add(100)
	f.waitSettled()

	server.Kill()
	add(100)
	logged("history cannot be written, events wait", 2)
	server.Start()
	logged("history is written again", 2)
	f.waitSettled()

	server.Freeze()
	add(100)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	if _, err := f.log.Page(ctx, *query("c")); err == nil {
		t.Error("a page of a server that hangs")
	}
	cancel()
	logged("history cannot be written, events wait", 3)
	server.Thaw()
	logged("history is written again", 3)
	f.waitSettled()
	f.close()

	if n := server.Query("SELECT count(*), count(DISTINCT name), min(name::int), max(name::int) FROM pipesocketd_history"); n != "400|400|1|400\n" {
		t.Errorf("events %q", n)
	}
	if server.Query("SELECT count(*) FROM (SELECT name::int - lag(name::int) OVER (ORDER BY time, id) AS step FROM pipesocketd_history) s WHERE step <> 1") != "0\n" {
		t.Error("they are not in order")
	}
	if lost := f.metric("events_lost_total"); lost != 0 {
		t.Errorf("%v lost", lost)
	}
	if slowest > time.Second {
		t.Errorf("an append took %v", slowest)
	}
	if text := f.capture.String(); strings.Contains(text, testkit.PostgresPassword) {
		t.Errorf("the password is in the log:\n%s", text)
	}
}
