package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// eachDatabase runs a test with an empty database of each kind.
func eachDatabase(t *testing.T, test func(t *testing.T, database string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "a b?.db")) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, postgres(t)) })
}

func open(t *testing.T, database string) *store {
	t.Helper()
	s, err := openStore(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

func read(t *testing.T, key, text string) *webhook {
	t.Helper()
	hook, err := testVerifier().verify(key, sign(key+"-secret", text), "", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return hook
}

func add(t *testing.T, s *store, hook *webhook, want int64) {
	t.Helper()
	if added, err := s.add(t.Context(), hook); err != nil || added != want {
		t.Fatalf("added %d, %v, want %d", added, err, want)
	}
}

func list(t *testing.T, s *store, f filter) []row {
	t.Helper()
	if f.limit == 0 {
		f.limit = 1000
	}
	rows, err := s.list(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// data returns what tells the rows of these tests from one another.
func data(rows []row) string {
	var all []string
	for _, r := range rows {
		all = append(all, r.Data)
	}
	return strings.Join(all, " ")
}

func clientEvent(channel, data string) string {
	return fmt.Sprintf(`{"name":"client_event","channel":%q,"event":"client-e","data":%q,"socket_id":"1.2"}`, channel, data)
}

func TestStoreKeepsEachEventOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		s := open(t, database)
		batch := body(0, clientEvent("private-a", "1"), clientEvent("private-a", "1"), clientEvent("private-b", "2"))
		add(t, s, read(t, "old", batch), 3) // equal events at different places are different events
		add(t, s, read(t, "old", batch), 0)
		add(t, s, read(t, "new", batch), 3) // the same bytes from another app
		add(t, s, read(t, "old", body(time.Millisecond, clientEvent("private-a", "1"))), 1)
		again := open(t, database) // as after a restart
		add(t, again, read(t, "old", batch), 0)
		if rows := list(t, again, filter{}); len(rows) != 7 {
			t.Errorf("%d rows", len(rows))
		}
	})
}

// Attempts of which the sender gave up one too early arrive at the same time.
func TestStoreTakesTheSameWebhookAtTheSameTime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		s := open(t, database)
		hook := read(t, "old", body(0, clientEvent("private-a", "1"), clientEvent("private-a", "2")))
		var adding sync.WaitGroup
		added := make(chan int64, 8)
		for range cap(added) {
			adding.Go(func() {
				n, err := s.add(t.Context(), hook)
				if err != nil {
					t.Error(err)
				}
				added <- n
			})
		}
		adding.Wait()
		close(added)
		sum := int64(0)
		for n := range added {
			sum += n
		}
		if rows := list(t, s, filter{}); sum != 2 || len(rows) != 2 {
			t.Errorf("%d added, %d rows", sum, len(rows))
		}
	})
}

func TestStoreKeepsEveryText(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		s := open(t, database)
		const text = `\u0000 ä 😀 \ud83d\ude00 '\";--\n<b>\u2028\\`
		add(t, s, read(t, "old", body(0, `{"name":"client_event","channel":"private-a","event":"client-\u0000","data":"`+text+`"}`)), 1)
		rows := list(t, s, filter{})
		if want := "\x00 ä 😀 😀 '\";--\n<b>\u2028\\"; len(rows) != 1 || rows[0].Data != want || rows[0].Event != "client-\x00" {
			t.Errorf("got %+v, want data %q", rows, want)
		}
	})
}

func TestStoreLists(t *testing.T) {
	eachDatabase(t, func(t *testing.T, database string) {
		s := open(t, database)
		// Of each minute a webhook with two events, stored in no order.
		for _, minute := range []int{3, 0, 4, 1, 2} {
			at := time.Duration(minute) * time.Minute
			add(t, s, read(t, "old", body(at, clientEvent("private-a", strconv.Itoa(minute)+"a"), clientEvent("private-b", strconv.Itoa(minute)+"b"))), 2)
		}
		at := func(minute int) time.Time { return noon.Add(time.Duration(minute) * time.Minute) }
		for name, test := range map[string]struct {
			f    filter
			want string
		}{
			"newest first":              {filter{}, "4b 4a 3b 3a 2b 2a 1b 1a 0b 0a"},
			"a channel":                 {filter{channel: "private-a"}, "4a 3a 2a 1a 0a"},
			"a channel that is none":    {filter{channel: "private-' OR 1=1"}, ""},
			"from a time, inclusive":    {filter{from: at(3)}, "4b 4a 3b 3a"},
			"until a time, exclusive":   {filter{until: at(1)}, "0b 0a"},
			"all of it":                 {filter{channel: "private-b", from: at(1), until: at(3)}, "2b 1b"},
			"a limit":                   {filter{limit: 3}, "4b 4a 3b"},
			"a time before all of them": {filter{until: noon}, ""},
		} {
			if got := data(list(t, s, test.f)); got != test.want {
				t.Errorf("%s: got %s, want %s", name, got, test.want)
			}
		}
		var pages []string
		place := cursor{}
		for {
			rows := list(t, s, filter{before: place, limit: 3})
			if len(rows) == 0 {
				break
			}
			pages = append(pages, data(rows))
			place = rows[len(rows)-1].cursor
		}
		if want := []string{"4b 4a 3b", "3a 2b 2a", "1b 1a 0b", "0a"}; !slices.Equal(pages, want) {
			t.Errorf("pages %q, want %q", pages, want)
		}
		if first := list(t, s, filter{limit: 1})[0]; !first.Time.Equal(at(4)) || first.Key != "old" || first.Channel != "private-b" {
			t.Errorf("got %+v", first)
		}
	})
}

func TestNoDatabase(t *testing.T) {
	for _, database := range []string{"", "history.db", "mysql://user:secret@host/name", "sqlite:" + filepath.Join(t.TempDir(), "none", "x.db")} {
		if _, err := openStore(t.Context(), database); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: error %v", database, err)
		}
	}
}
