package bench

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const goMetrics = `# HELP go_goroutines Number of goroutines that currently exist.
# TYPE go_goroutines gauge
go_goroutines 14
go_info{version="go1.26.8"} 1
go_memstats_heap_alloc_bytes 600
go_memstats_heap_inuse_bytes 2.3e+03
go_memstats_heap_idle_bytes 5000
go_memstats_heap_released_bytes 4000
go_memstats_stack_sys_bytes 70
go_memstats_mspan_sys_bytes 1
go_memstats_mcache_sys_bytes 2
go_memstats_buck_hash_sys_bytes 3
go_memstats_gc_sys_bytes 4
go_memstats_other_sys_bytes 5
process_open_fds 12
`

func TestParseRuntimeMemory(t *testing.T) {
	want := runtimeMemory{objects: 600, inUse: 2300, held: 1000, stacks: 70, metadata: 15, goroutines: 14}
	if m, err := parseRuntimeMemory([]byte(goMetrics)); err != nil || m != want {
		t.Errorf("%+v, %v", m, err)
	}
	for _, bad := range []string{"", "nodejs_heap_size_used_bytes 7\n", strings.Replace(goMetrics, "heap_idle_bytes 5000", "heap_idle_bytes x", 1)} {
		if m, err := parseRuntimeMemory([]byte(bad)); err == nil || !strings.Contains(err.Error(), "not those of a program in Go") {
			t.Errorf("%q was read as %+v, %v", bad, m, err)
		}
	}
}

func TestScraper(t *testing.T) {
	const moved = "moved"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/metrics":
			_, _ = w.Write([]byte(goMetrics))
		case "/" + moved:
			http.Redirect(w, r, "/metrics", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	s, err := newScraper(t.Context(), &Options{Metrics: server.URL + "/metrics"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.read(t.Context()); err != nil || m.goroutines != 14 {
		t.Errorf("%+v, %v", m, err)
	}
	if _, ok := s.collected(t.Context()); ok {
		t.Error("a server without profiles is said to have collected")
	}
	for _, url := range []string{server.URL + "/none", server.URL + "/" + moved, "http://127.0.0.1:1/metrics"} {
		s.metrics = url
		if m, err := s.read(t.Context()); err == nil {
			t.Errorf("%s gave %+v", url, m)
		}
	}
}

func TestScraperRefuses(t *testing.T) {
	for url, want := range map[string]string{
		"http://192.0.2.1:9601/metrics":   "only with --allow-remote",
		"127.0.0.1:9601":                  "--metrics must be",
		"file:///proc/self/environ":       "--metrics must be",
		"http://user:pw@127.0.0.1/metric": "--metrics must be",
	} {
		if _, err := newScraper(t.Context(), &Options{Metrics: url}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
}
