package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"
)

func TestReadKeys(t *testing.T) {
	for name, test := range map[string]struct {
		o    options
		want map[string]string // nil is an error
	}{
		"one pair":                      {options{keys: "a:b"}, map[string]string{"a": "b"}},
		"two pairs":                     {options{keys: "a:b,c:d:e"}, map[string]string{"a": "b", "c": "d:e"}},
		"none on loopback":              {options{listen: "127.0.0.1:80"}, map[string]string{"app-key": "app-secret"}},
		"none on loopback, IPv6":        {options{listen: "[::1]:80"}, map[string]string{"app-key": "app-secret"}},
		"none on all addresses":         {options{listen: "0.0.0.0:80"}, nil},
		"none where names might change": {options{listen: "localhost:80"}, nil},
		"no secret":                     {options{keys: "a:b,c"}, nil},
		"an empty pair":                 {options{keys: "a:b,"}, nil},
	} {
		got, err := readKeys(test.o)
		if !maps.Equal(got, test.want) || (err == nil) != (test.want != nil) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	o := options{listen: freeAddress(t), page: freeAddress(t), database: "sqlite:" + filepath.Join(t.TempDir(), "history.db"), maxBody: 1}
	go func() { ended <- run(ctx, o, slog.New(slog.DiscardHandler)) }()
	for url, want := range map[string]int{
		"http://" + o.page:                 http.StatusOK,
		"http://" + o.listen + "/webhook":  http.StatusMethodNotAllowed,
		"http://" + o.listen:               http.StatusNotFound,
		"http://" + o.page + "/webhook":    http.StatusNotFound,
		"http://" + o.page + "/style.css":  http.StatusOK,
		"http://" + o.listen + "/webhook/": http.StatusNotFound,
	} {
		if got := status(t, url); got != want {
			t.Errorf("GET %s: %d, want %d", url, got, want)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestRunFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	database := "sqlite:" + filepath.Join(t.TempDir(), "history.db")
	for name, o := range map[string]options{
		"no keys":          {listen: "0.0.0.0:0", page: "127.0.0.1:0", database: database},
		"no database":      {listen: "127.0.0.1:0", page: "127.0.0.1:0", database: "none"},
		"no address":       {listen: taken.Addr().String(), page: "127.0.0.1:0", database: database},
		"no other address": {listen: "127.0.0.1:0", page: taken.Addr().String(), database: database},
	} {
		if err := run(t.Context(), o, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// status asks until somebody answers.
func status(t *testing.T, url string) int {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	err := fmt.Errorf("GET %s: not tried", url)
	for range 1000 {
		req, bad := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if bad != nil {
			t.Fatal(bad)
		}
		var resp *http.Response
		if resp, err = client.Do(req); err == nil {
			_ = resp.Body.Close()
			return resp.StatusCode
		}
		<-ticker.C
	}
	t.Fatal(err)
	return 0
}
