package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

func testReceiver(t *testing.T) *receiver {
	t.Helper()
	return &receiver{
		verifier: testVerifier(),
		store:    open(t, "sqlite:"+filepath.Join(t.TempDir(), "history.db")),
		maxBody:  1000,
		log:      slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func post(t *testing.T, h http.Handler, text string) *httptest.ResponseRecorder {
	t.Helper()
	return postNamed(t, h, "", text)
}

// postNamed is post with the name of a delivery.
func postNamed(t *testing.T, h http.Handler, delivery, text string) *httptest.ResponseRecorder {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook", strings.NewReader(text))
	req.Header.Set("X-Pusher-Key", "old")
	req.Header.Set("X-Pusher-Signature", sign("old-secret", text))
	if delivery != "" {
		req.Header.Set("X-Pipesocket-Delivery", delivery)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w
}

// What is answered with 2xx is in the database, for everyone to see.
func TestReceiverCommitsBeforeItAnswers(t *testing.T) {
	r := testReceiver(t)
	for range 2 {
		if w := post(t, r, body(0, occupied)); w.Code != http.StatusNoContent {
			t.Fatalf("status %d", w.Code)
		}
		if rows := list(t, r.store, filter{}); len(rows) != 1 {
			t.Errorf("%d rows", len(rows))
		}
	}
}

// A delivery is known by its name, whatever its bytes.
func TestReceiverKnowsDeliveriesByName(t *testing.T) {
	r := testReceiver(t)
	for i, d := range []struct {
		name, text string
		rows       int
	}{
		{"a", body(0, occupied), 1},
		{"a", body(0, occupied), 1},
		{"a", body(1000000000, occupied), 1}, // sealed afresh
		{"b", body(0, occupied), 2},
		{"", body(0, occupied), 3},
	} {
		if w := postNamed(t, r, d.name, d.text); w.Code != http.StatusNoContent {
			t.Fatalf("status %d", w.Code)
		}
		if rows := list(t, r.store, filter{}); len(rows) != d.rows {
			t.Errorf("after delivery %d: %d rows, want %d", i, len(rows), d.rows)
		}
	}
}

func TestReceiverRefuses(t *testing.T) {
	r := testReceiver(t)
	frame := len(body(0, clientEvent("private-a", "")))
	tests := map[string]struct {
		text string
		want int
	}{
		"as large as may be": {body(0, clientEvent("private-a", strings.Repeat("x", 1000-frame))), http.StatusNoContent},
		"a byte more":        {body(0, clientEvent("private-a", strings.Repeat("x", 1001-frame))), http.StatusRequestEntityTooLarge},
		"too old":            {body(-1e12, occupied), http.StatusBadRequest},
		"nonsense":           {"nonsense", http.StatusBadRequest},
		"nothing":            {"", http.StatusBadRequest},
	}
	for name, test := range tests {
		if w := post(t, r, test.text); w.Code != test.want {
			t.Errorf("%s: status %d, want %d", name, w.Code, test.want)
		}
	}
	forged := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhook", strings.NewReader(body(0, occupied)))
	w := httptest.NewRecorder()
	r.ServeHTTP(w, forged)
	if said, _ := io.ReadAll(w.Body); w.Code != http.StatusUnauthorized || string(said) != "Unauthorized\n" {
		t.Errorf("forged: status %d, %q", w.Code, said)
	}
	if rows := list(t, r.store, filter{}); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
}

// Without a database nothing may be taken for delivered.
func TestReceiverWithoutItsDatabase(t *testing.T) {
	r := testReceiver(t)
	if err := r.store.close(); err != nil {
		t.Fatal(err)
	}
	if w := post(t, r, body(0, occupied)); w.Code != http.StatusInternalServerError {
		t.Errorf("status %d", w.Code)
	}
}
