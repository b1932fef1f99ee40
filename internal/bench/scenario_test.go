package bench

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/daemon"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

var readyLine = regexp.MustCompile(`(?m)^pipesocketd ready: public=(\S+) ops=(\S+)`)

// serve runs a server in this process and returns its URL.
func serve(t *testing.T, environ ...string) string {
	t.Helper()
	public, _ := serveOps(t, environ...)
	return public
}

// serveOps returns the URL of the operations listener too.
func serveOps(t *testing.T, environ ...string) (public, ops string) {
	t.Helper()
	c, _, err := config.LoadWithOrigins(config.LoadOptions{Environ: append([]string{
		"PIPESOCKETD_LISTEN=127.0.0.1:0", "PIPESOCKETD_OPS_LISTEN=127.0.0.1:0",
		"PIPESOCKETD_APP_ID=77", "PIPESOCKETD_APP_KEY=some-key", "PIPESOCKETD_APP_SECRET=some-secret",
		"PIPESOCKETD_APP_CLIENT_EVENTS=true",
	}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	c.DrainWindow = 0
	out := &testkit.Output{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- daemon.Run(ctx, daemon.Options{Config: c, Log: slog.New(slog.DiscardHandler), Stdout: out, Version: "test"})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	testkit.WaitFor(t, func() bool { return readyLine.MatchString(out.String()) }, "the server")
	urls := readyLine.FindStringSubmatch(out.String())
	return urls[1], urls[2]
}

const manyClientEvents = "PIPESOCKETD_APP_CLIENT_EVENT_RATE=1000000"

// small returns options that take little time.
func small(t *testing.T, scenario, url string) Options {
	t.Helper()
	s, ok := find(scenario)
	if !ok {
		t.Fatalf("no scenario %s", scenario)
	}
	o := s.Defaults
	o.Scenario, o.URLs, o.AppID = scenario, []string{url}, "77"
	o.Key = auth.Key{Key: "some-key", Secret: "some-secret"}
	o.Connections, o.Channels = min(o.Connections, 12), min(o.Channels, 5)
	o.Slow, o.Churners = min(o.Slow, 2), min(o.Churners, 3)
	if scenario == "presence-storm" {
		o.Churners = 20 // as many as join in 400 ms: one that finds nobody free is a fault
	}
	o.Settle = 0
	o.Warmup, o.Duration, o.Timeout = 20*time.Millisecond, 250*time.Millisecond, 5*time.Second
	o.Writer = []string{os.Args[0], writerArgument}
	if runtime.GOOS == "linux" {
		o.PIDs = []int{os.Getpid()}
	}
	return o
}

func (r *Result) value(name string) float64 {
	i := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.Name == name })
	if i < 0 {
		return -1
	}
	return r.Figures[i].Value
}

func TestScenarios(t *testing.T) {
	url := serve(t, manyClientEvents)
	tests := []struct {
		name, scenario string
		change         func(o *Options)
		positive       []string // figures
	}{
		{"fan-out, closed loop", "fanout", nil, []string{figureDeliveries, "latency p50"}},
		{"fan-out, open loop", "fanout", func(o *Options) { o.Rate = 200 }, []string{figureDeliveries, "latency p99"}},
		{"fan-out without epoll", "fanout", func(o *Options) { o.portable = true }, []string{figureDeliveries}},
		{"small events", "fanout", func(o *Options) { o.Size = minSize }, []string{figureDeliveries, "latency p50"}},
		{"small events in batches", "batch", func(o *Options) { o.Size = minSize }, []string{figureDeliveries, "latency p50"}},
		{"large events", "fanout", func(o *Options) { o.Size = 10240 }, []string{figureDeliveries}},
		{"channels", "channels", nil, []string{"events per second"}},
		{"channels on few connections", "channels", func(o *Options) { o.Channels, o.Subscribers, o.Connections = 40, 3, 7 }, []string{figureDeliveries}},
		{"more channels than are subscribed at once", "channels", func(o *Options) { o.Channels, o.Subscribers, o.Connections = 3*subscribeWindow, 1, 1 }, []string{figureDeliveries}},
		{"batches", "batch", nil, []string{figureDeliveries}},
		{"batches without epoll", "batch", func(o *Options) { o.portable = true }, []string{figureDeliveries}},
		{"client events", "clientevents", nil, []string{figureDeliveries, "latency p50"}},
		{"small client events", "clientevents", func(o *Options) { o.Size = minSize }, []string{figureDeliveries, "latency p50"}},
		{"client events, open loop", "clientevents", func(o *Options) { o.Rate = 300 }, []string{figureDeliveries}},
		{"client events without epoll", "clientevents", func(o *Options) { o.portable = true }, []string{figureDeliveries}},
		{"presence", "presence", nil, []string{"joins and leaves per second", "join p50", "member_added p50"}},
		{"presence without epoll", "presence", func(o *Options) { o.portable = true }, []string{"joins and leaves per second"}},
		{"presence storm", "presence-storm", nil, []string{"joins per second", "join p99", "member_added p99"}},
		{"presence storm without epoll", "presence-storm", func(o *Options) { o.portable = true }, []string{"joins per second"}},
		{"presence storm of members", "presence-storm", func(o *Options) { o.Known = true }, []string{"joins per second", "join p50"}},
		{"client events on channels", "clientevents", func(o *Options) { o.Channels = 4 }, []string{figureDeliveries, "latency p50"}},
		{"slow consumers", "slow", func(o *Options) { o.Timeout = time.Second }, []string{figureDeliveries}},
		{"slow consumers without epoll", "slow", func(o *Options) { o.portable, o.Timeout = true, time.Second }, []string{figureDeliveries}},
		{"storm", "storm", nil, []string{"connections per second", "connect to handshake p50", "connect to subscribed max"}},
		{"storm at a rate", "storm", func(o *Options) { o.Rate = 400 }, []string{"connections per second"}},
		{"idle", "idle", nil, []string{"connections per second", "connect to subscribed p50"}},
		{"limit, closed loop", "limit", nil, []string{figureDeliveries, "latency p50"}},
		{"limit with small events", "limit", func(o *Options) { o.Size = minSize }, []string{figureDeliveries}},
		{"limit, open loop", "limit", func(o *Options) { o.Rate, o.FramesPerWrite = 400, 2 }, []string{figureDeliveries}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := small(t, tt.scenario, url)
			if tt.change != nil {
				tt.change(&o)
			}
			results, err := Run(t.Context(), o)
			if err != nil || len(results) != 1 {
				t.Fatalf("%d results, %v", len(results), err)
			}
			r := &results[0]
			if a := &r.Accounting; !a.clean() || a.Delivered != a.Expected {
				t.Errorf("accounting %+v", a)
			}
			for _, name := range tt.positive {
				if r.value(name) <= 0 {
					t.Errorf("%s is %v in %+v", name, r.value(name), r.Figures)
				}
			}
		})
	}
}

// Two URLs of one server are two servers to the tool, between which everything
// arrives.
func TestSeveralServers(t *testing.T) {
	url := serve(t, manyClientEvents)
	between := []string{"deliveries between servers per second", "latency between servers p50", "latency within a server p50"}
	tests := []struct {
		scenario string
		change   func(o *Options)
		share    float64 // of deliveries between servers, in percent; -1 if it is not told
		positive []string
	}{
		{"fanout", nil, 50, between},
		{"channels", func(o *Options) { o.Channels, o.Subscribers = 5, 4 }, 50, between},
		{"batch", func(o *Options) { o.portable = true }, 50, between},
		{"clientevents", func(o *Options) { o.Channels = 3 }, 100 * 2 / 3.0, between},
		{"presence", nil, -1, []string{"joins and leaves per second"}},
		{"presence-storm", nil, -1, []string{"joins per second"}},
		{"presence-storm", func(o *Options) { o.Known = true }, -1, []string{"joins per second"}},
		{"storm", nil, -1, []string{"connections per second"}},
	}
	for _, tt := range tests {
		t.Run(tt.scenario, func(t *testing.T) {
			o := small(t, tt.scenario, url)
			o.URLs = append(o.URLs, strings.Replace(url, "127.0.0.1", "localhost", 1))
			if tt.change != nil {
				tt.change(&o)
			}
			results, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			r := &results[0]
			if a := &r.Accounting; !a.clean() || a.Delivered != a.Expected || !strings.HasSuffix(r.Setup, ", on 2 servers") {
				t.Errorf("%s: accounting %+v, warnings %v", r.Setup, a, r.Warnings)
			}
			for _, name := range tt.positive {
				if r.value(name) <= 0 {
					t.Errorf("%s is %v in %+v", name, r.value(name), r.Figures)
				}
			}
			if share := r.value("share of deliveries between servers"); math.Abs(share-tt.share) > 15 {
				t.Errorf("%v %% of the deliveries are between servers, want %v %%", share, tt.share)
			}
		})
	}
}

func TestPresenceStormTellsServersThatDisagree(t *testing.T) {
	o := small(t, "presence-storm", serve(t))
	o.URLs = append(o.URLs, serve(t)) // which knows nothing of the other
	o.Known, o.Duration = true, 50*time.Millisecond
	results, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r := &results[0]
	if r.value("servers that see other members") != 2 || !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "6 are missing") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestSeveralProcesses(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the cost of a process is read from /proc")
	}
	o := small(t, "fanout", serve(t))
	o.PIDs = append(o.PIDs, os.Getppid())
	results, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	var sum float64
	for _, f := range results[0].Figures {
		if strings.HasPrefix(f.Name, "process ") && strings.HasSuffix(f.Name, ") CPU per million deliveries") {
			sum += f.Value
		}
	}
	if all := results[0].value(figureCost); all <= 0 || math.Abs(sum-all) > all/1000 {
		t.Errorf("%v s together, %v s all processes: %+v", all, sum, results[0].Figures)
	}
}

func TestIdleTellsThePartsOfMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the memory of a process is read from /proc")
	}
	for _, pprof := range []bool{false, true} {
		url, ops := serveOps(t, "PIPESOCKETD_OPS_PPROF="+strconv.FormatBool(pprof))
		o := small(t, "idle", url)
		o.Metrics, o.Settle = ops+"/metrics", 50*time.Millisecond
		results, err := Run(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		r := &results[0]
		whole, split, parts := r.value("server RSS per connection"), 0.0, 0.0
		for _, f := range r.Figures {
			switch f.Name {
			case "of it anonymous: heap and stacks", "of it files: program code":
				split += f.Value
			case "heap objects per connection", "heap in use beyond objects per connection", "heap free but held per connection",
				"goroutine stacks per connection", "runtime metadata per connection", "rest of RSS per connection":
				parts += f.Value
			}
		}
		if math.Abs(whole-split) > 0.01 || math.Abs(whole-parts) > 0.01 {
			t.Errorf("%v KiB per connection, %v by kind, %v by part", whole, split, parts)
		}
		live := slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.Name == "of them live" })
		if live != pprof {
			t.Errorf("live objects are told: %v, profiles are served: %v", live, pprof)
		}
		if !slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.Name == "goroutines per connection" }) {
			t.Errorf("goroutines are not told in %+v", r.Figures)
		}
	}
}

func TestIdleNeedsMetricsThatAreThere(t *testing.T) {
	o := small(t, "idle", serve(t))
	o.Metrics = o.URLs[0] + "/metrics"
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "/metrics answered 404") {
		t.Errorf("error %v", err)
	}
}

func TestChannelsTellWhatSubscriptionsCost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the cost of a process is read from /proc")
	}
	o := small(t, "channels", serve(t))
	o.Settle = 20 * time.Millisecond
	results, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server RSS per channel", "server CPU per subscription", "subscriptions per second"} {
		if !slices.ContainsFunc(results[0].Figures, func(f Figure) bool { return f.Name == name }) {
			t.Errorf("no %s in %+v", name, results[0].Figures)
		}
	}
}

func TestFloorAndRuns(t *testing.T) {
	tests := []struct {
		scenario  string
		runs      int
		scenarios []string
	}{
		{"fanout", 2, []string{"fanout", "fanout", "limit", "limit", "limit", "limit"}},
		{"clientevents", 1, []string{"clientevents", "limit", "limit"}},
		{"channels", 1, []string{"channels", "limit"}},
		{"batch", 1, []string{"batch", "limit"}},
	}
	for _, tt := range tests {
		t.Run(tt.scenario, func(t *testing.T) {
			o := small(t, tt.scenario, serve(t, manyClientEvents))
			o.Runs, o.Floor = tt.runs, true
			results, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for i := range results {
				names = append(names, results[i].Scenario)
				if a := &results[i].Accounting; !a.clean() {
					t.Errorf("%s: %+v", results[i].Setup, a)
				}
			}
			if !slices.Equal(names, tt.scenarios) {
				t.Errorf("scenarios %v, want %v", names, tt.scenarios)
			}
		})
	}
}

func TestOverTLS(t *testing.T) {
	certificate := testkit.Certificate(t)
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	url := serve(t, "PIPESOCKETD_TLS_CERT_FILE="+write("c.pem", "CERTIFICATE", certificate.Certificate[0]),
		"PIPESOCKETD_TLS_KEY_FILE="+write("k.pem", "PRIVATE KEY", key))
	o := small(t, "channels", url)
	if _, err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown certificate: %v", err)
	}
	leaf, err := x509.ParseCertificate(certificate.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	o.roots = x509.NewCertPool()
	o.roots.AddCert(leaf)
	results, err := Run(t.Context(), o)
	if err != nil || !results[0].Accounting.clean() || results[0].value(figureDeliveries) <= 0 {
		t.Errorf("%+v, %v", results, err)
	}
}

func TestRunFailsWhenTheServerRefuses(t *testing.T) {
	url := serve(t)
	tests := []struct {
		name, scenario string
		change         func(o *Options)
		want           string
	}{
		{"client events beyond the rate", "clientevents", func(*Options) {}, "4301 Client event rejected due to rate limit"},
		{"a wrong secret for requests", "fanout", func(o *Options) { o.Key.Secret = "wrong" }, "100 requests failed, the first of them: the server answered 401: Invalid signature"},
		{"a wrong secret for channels", "clientevents", func(o *Options) { o.Key.Secret = "wrong" }, "refused by the server: "},
		{"an unknown key", "fanout", func(o *Options) { o.Key.Key = "nobody" }, "closed by the server with 4001 Application does not exist"},
		{"events that are too large", "fanout", func(o *Options) { o.Size = 10241 }, "the server answered 413: The data content of this event"},
		{"no such path", "fanout", func(o *Options) { o.URLs[0] += "/elsewhere" }, "closed by the server with 4005 Path not found"},
	}
	for _, tt := range tests {
		for _, portable := range []bool{false, true} {
			t.Run(tt.name, func(t *testing.T) {
				o := small(t, tt.scenario, url)
				o.portable, o.Duration = portable, 10*time.Second // which it does not take
				tt.change(&o)
				_, err := Run(t.Context(), o)
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v\nwant %s", err, tt.want)
				}
				if err != nil && strings.Contains(err.Error(), "some-secret") {
					t.Errorf("the error tells the secret: %v", err)
				}
			})
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	o := small(t, "fanout", serve(t))
	o.Duration = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Run(ctx, o); err == nil || ctx.Err() == nil {
		t.Errorf("error %v", err)
	}
}
