package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// pageSize is how many events stand on one page.
const pageSize = 100

// Nothing but the page's own style sheet may be loaded, nothing may run and
// nobody may frame it, whatever stands in the data.
const policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle []byte

	// html/template escapes every value for the place where it stands.
	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// newPage returns the handler of the history page. Whoever reaches it may read
// everything.
func newPage(s *store, log *slog.Logger) http.Handler {
	p := &page{store: s, log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", p.history)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(pageStyle)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, req)
	})
}

type page struct {
	store *store
	log   *slog.Logger
}

// view is what the template shows.
type view struct {
	Channel, From, Until string // as they were asked for
	Rows                 []row
	Older                string // address of the next page, if there is one
	Later                bool   // this page is not the first
	First                string // address of the first page
}

func (p *page) history(w http.ResponseWriter, req *http.Request) {
	asked := req.URL.Query()
	f, err := readFilter(asked)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.limit = pageSize + 1 // one more tells whether there is a next page
	rows, err := p.store.list(req.Context(), f)
	if err != nil {
		p.fail(w, err)
		return
	}
	v := view{Channel: asked.Get("channel"), From: asked.Get("from"), Until: asked.Get("until")}
	v.Later = f.before != (cursor{})
	v.First = address(asked, cursor{})
	if len(rows) > pageSize {
		rows = rows[:pageSize]
		v.Older = address(asked, rows[pageSize-1].cursor)
	}
	v.Rows = rows
	var text bytes.Buffer // so that a failure half-way is not a page
	if err := pageTemplate.Execute(&text, v); err != nil {
		p.fail(w, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = text.WriteTo(w)
}

func (p *page) fail(w http.ResponseWriter, err error) {
	p.log.Error("history page failed", "err", err)
	http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
}

func readFilter(asked url.Values) (f filter, err error) {
	f.channel = asked.Get("channel")
	if f.from, err = readTime(asked.Get("from")); err != nil {
		return filter{}, err
	}
	if f.until, err = readTime(asked.Get("until")); err != nil {
		return filter{}, err
	}
	f.before, err = readCursor(asked.Get("before"))
	return f, err
}

// readTime reads what an input of type datetime-local sends. It is taken for UTC.
func readTime(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("no time: %q", text)
}

func readCursor(text string) (c cursor, err error) {
	if text == "" {
		return cursor{}, nil
	}
	timeMS, id, _ := strings.Cut(text, "-")
	if c.timeMS, err = strconv.ParseInt(timeMS, 10, 64); err != nil {
		return cursor{}, fmt.Errorf("no place in the history: %q", text)
	}
	if c.id, err = strconv.ParseInt(id, 10, 64); err != nil {
		return cursor{}, fmt.Errorf("no place in the history: %q", text)
	}
	return c, nil
}

// address returns the link to the same question at another place.
func address(asked url.Values, place cursor) string {
	link := url.Values{}
	for _, name := range []string{"channel", "from", "until"} {
		if value := asked.Get(name); value != "" {
			link.Set(name, value)
		}
	}
	if place != (cursor{}) {
		link.Set("before", fmt.Sprintf("%d-%d", place.timeMS, place.id))
	}
	return "?" + link.Encode()
}
