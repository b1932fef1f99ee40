package main

import (
	"html"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func get(t *testing.T, r *receiver, path string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	newPage(r.store, r.log).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return w
}

// Whatever clients send stays text.
func TestPageShowsDataAsText(t *testing.T) {
	r := testReceiver(t)
	const evil = `</code><script>alert(1)</script><img src=x onerror=alert(1)>"'`
	add(t, r.store, read(t, "old", body(0, clientEvent("private-"+`"><script>`, evil))), 1)
	w := get(t, r, "/?channel="+`%22%3E%3Cscript%3E`)
	if text := w.Body.String(); w.Code != http.StatusOK || strings.Contains(text, "<script") || !strings.Contains(text, "Nothing yet") {
		t.Errorf("status %d\n%s", w.Code, text)
	}
	w = get(t, r, "/")
	text := w.Body.String()
	if strings.Contains(text, "<script") || strings.Contains(text, "<img") || !strings.Contains(html.UnescapeString(text), evil) {
		t.Errorf("page\n%s", text)
	}
	for header, want := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store",
	} {
		if got := w.Header().Get(header); got != want {
			t.Errorf("%s is %q", header, got)
		}
	}
	// Nothing is loaded but the style sheet, which is there.
	for _, found := range regexp.MustCompile(`(?:src|href|action)="([^"?]+)`).FindAllStringSubmatch(text, -1) {
		if found[1] != "style.css" {
			t.Errorf("the page refers to %s", found[1])
		}
	}
	if style := get(t, r, "/style.css"); style.Code != http.StatusOK || style.Header().Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("style sheet: %d %v", style.Code, style.Header())
	}
}

var (
	older = regexp.MustCompile(`<a href="([^"]+)" rel="next">`)
	cell  = regexp.MustCompile(`<code>(\d+)</code>`)
)

// Following the links shows everything once, newest first.
func TestPages(t *testing.T) {
	r := testReceiver(t)
	const count = 2*pageSize + 1
	for i := range count {
		add(t, r.store, read(t, "old", body(time.Duration(i)*time.Millisecond, clientEvent("private-a", strconv.Itoa(i)), clientEvent("private-b", "-"))), 2)
	}
	link, next := "?channel=private-a&from=2026-05-01T12:00&until=2026-05-01T12:00:01", count-1
	pages := 0
	for link != "" {
		text := get(t, r, "/"+link).Body.String()
		pages++
		for _, found := range cell.FindAllStringSubmatch(text, -1) {
			if found[1] != strconv.Itoa(next) {
				t.Fatalf("page %d shows %s where %d belongs", pages, found[1], next)
			}
			next--
		}
		link = ""
		if found := older.FindStringSubmatch(text); found != nil {
			link = html.UnescapeString(found[1])
		}
	}
	if next != -1 || pages != 3 {
		t.Errorf("%d pages end before %d", pages, next)
	}
	if text := get(t, r, "/?from=2026-05-01T12:00:01").Body.String(); !strings.Contains(text, "Nothing yet") {
		t.Errorf("page\n%s", text)
	}
}

func TestPageRefusesNonsense(t *testing.T) {
	r := testReceiver(t)
	for path, want := range map[string]int{
		"/?from=yesterday": http.StatusBadRequest,
		"/?before=1":       http.StatusBadRequest,
		"/?before=x-1":     http.StatusBadRequest,
		"/other":           http.StatusNotFound,
	} {
		if w := get(t, r, path); w.Code != want || w.Header().Get("Content-Security-Policy") != policy {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
	}
	if err := r.store.close(); err != nil {
		t.Fatal(err)
	}
	if w := get(t, r, "/"); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "sql") {
		t.Errorf("without a database: %d %s", w.Code, w.Body)
	}
}
