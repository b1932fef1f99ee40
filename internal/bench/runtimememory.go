package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// runtimeMemory is what a server in Go tells of its own memory, in bytes.
type runtimeMemory struct {
	objects    float64 // heap objects; dead ones count until the next collection
	inUse      float64 // spans with at least one object
	held       float64 // free spans that have not been given back
	stacks     float64 // of goroutines
	metadata   float64 // of the runtime: span and cache records, collector, profiles
	goroutines float64
}

// scraper reads the metrics of the server's operations listener.
type scraper struct {
	metrics string
	collect string // URL that makes the server collect garbage, if it serves profiles
	client  http.Client
}

// Bounds of a scrape.
const (
	scrapeTimeout = 10 * time.Second
	maxScrape     = 8 << 20
)

var errMetricsURL = errors.New("--metrics must be an http or https URL with a host")

// newScraper refuses another machine's metrics unless that is the caller's.
func newScraper(ctx context.Context, o *Options) (*scraper, error) {
	base, err := url.Parse(o.Metrics)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.User != nil {
		return nil, errMetricsURL
	}
	if _, err := resolve(ctx, base.Hostname(), o.AllowRemote); err != nil {
		return nil, err
	}
	collect := url.URL{Scheme: base.Scheme, Host: base.Host, Path: "/debug/pprof/heap", RawQuery: "gc=1"}
	return &scraper{metrics: o.Metrics, collect: collect.String(), client: http.Client{
		Timeout:       scrapeTimeout,
		Transport:     &http.Transport{DisableKeepAlives: true}, // no proxy: the server is named, not looked for
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (s *scraper) get(ctx context.Context, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", url, err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", url, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxScrape))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", url, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", url, response.Status)
	}
	return text, nil
}

func (s *scraper) read(ctx context.Context) (runtimeMemory, error) {
	text, err := s.get(ctx, s.metrics)
	if err != nil {
		return runtimeMemory{}, err
	}
	return parseRuntimeMemory(text)
}

// collected reads the metrics again behind a collection. ok is false if the
// server takes no request for one.
func (s *scraper) collected(ctx context.Context) (m runtimeMemory, ok bool) {
	if _, err := s.get(ctx, s.collect); err != nil {
		return runtimeMemory{}, false
	}
	m, err := s.read(ctx)
	return m, err == nil
}

// parseRuntimeMemory reads the metrics that the Prometheus client for Go exports
// for every program.
func parseRuntimeMemory(text []byte) (m runtimeMemory, err error) {
	values := map[string]float64{}
	for line := range bytes.Lines(text) {
		name, rest, ok := bytes.Cut(line, []byte(" "))
		if !ok || !bytes.HasPrefix(name, []byte("go_")) {
			continue
		}
		if v, err := strconv.ParseFloat(string(bytes.TrimSpace(rest)), 64); err == nil {
			values[string(name)] = v
		}
	}
	var missing []string
	value := func(name string) float64 {
		v, ok := values[name]
		if !ok {
			missing = append(missing, name)
		}
		return v
	}
	memstats := func(name string) float64 { return value("go_memstats_" + name + "_bytes") }
	m.objects, m.inUse = memstats("heap_alloc"), memstats("heap_inuse")
	m.held = memstats("heap_idle") - memstats("heap_released")
	m.stacks = memstats("stack_sys")
	m.metadata = memstats("mspan_sys") + memstats("mcache_sys") + memstats("buck_hash_sys") + memstats("gc_sys") + memstats("other_sys")
	m.goroutines = value("go_goroutines")
	if len(missing) > 0 {
		return runtimeMemory{}, fmt.Errorf("the metrics are not those of a program in Go: no %s among them", missing[0])
	}
	return m, nil
}
