package history

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

func TestCursors(t *testing.T) {
	for _, p := range []position{{0, 0}, {1, 2}, {latestMS, 1<<63 - 1}} {
		if got, err := parseCursor(p.String()); err != nil || got != p {
			t.Errorf("%v became %v, %v", p, got, err)
		}
	}
	good := position{1, 2}.String()
	for _, cursor := range []string{
		"x", good + "A", good[:len(good)-1], good + "=", " " + good, "AQ", strings.Repeat("A", 23),
		position{-1, 0}.String(), position{0, -1}.String(), position{latestMS + 1, 0}.String(), good[:22] + "/", strings.Repeat("A", 1<<16),
	} {
		if p, err := parseCursor(cursor); !errors.Is(err, hub.ErrHistoryCursor) {
			t.Errorf("%.100q is %v, %v", cursor, p, err)
		}
	}
	f := newFixture(t, &fakeStore{})
	q := query("c")
	q.Cursor = "x"
	if _, err := f.log.Page(t.Context(), *q); !errors.Is(err, hub.ErrHistoryCursor) {
		t.Errorf("page: %v", err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(position{1_700_000_000_000, 42}.String())
	f.Add("AQAAAAAAAAABAAAAAAAAAAI")
	f.Fuzz(func(t *testing.T, cursor string) {
		p, err := parseCursor(cursor)
		if err != nil {
			return
		}
		again, err := parseCursor(p.String())
		if err != nil || again != p || p.String() != cursor {
			t.Fatalf("%q is %v, %v; in base64 %v", cursor, p, err, base64.RawURLEncoding.EncodedLen(len(cursor)))
		}
	})
}
