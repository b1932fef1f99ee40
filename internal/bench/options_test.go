package bench

import (
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

func TestDefaultsAreValid(t *testing.T) {
	for _, s := range Scenarios() {
		o := s.Defaults
		if err := o.validate(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if err := s.check(&o); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if s.setup(&o) == "" || s.connections(&o) < 2 {
			t.Errorf("%s: %q on %d connections", s.Name, s.setup(&o), s.connections(&o))
		}
	}
}

func TestRunRefuses(t *testing.T) {
	tests := []struct {
		name, scenario string
		change         func(o *Options)
		want           string
	}{
		{"an unknown scenario", "nope", nil, `there is no scenario "nope"`},
		{"data that is too small", "fanout", func(o *Options) { o.Size = 10 }, "--size must be 16 to 131072, not 10"},
		{"too many in flight", "fanout", func(o *Options) { o.InFlight = 5000 }, "--in-flight must be 1 to 1024"},
		{"a negative rate", "fanout", func(o *Options) { o.Rate = -1 }, "--rate must be 0 to 1000000"},
		{"several faults", "fanout", func(o *Options) { o.Runs, o.Duration = 0, 0 }, "--runs must be 1 to 1000, not 0\n--duration must be 1ms"},
		{"no connections", "fanout", func(o *Options) { o.Connections = 0 }, "--connections must be at least 1"},
		{"one member", "clientevents", func(o *Options) { o.Connections = 1 }, "at least 2"},
		{"more subscribers than connections", "channels", func(o *Options) { o.Connections = 2 }, "--subscribers must be at most --connections"},
		{"metrics that are no URL", "idle", func(o *Options) { o.Metrics = "127.0.0.1:9601" }, "--metrics must be an http or https URL"},
		{"metrics of another machine", "idle", func(o *Options) { o.Metrics = "http://192.0.2.1/metrics" }, "only with --allow-remote"},
		{"a negative time to settle", "idle", func(o *Options) { o.Settle = -1 }, "--settle must be 0s to 24h"},
		{"idle again and again", "idle", func(o *Options) { o.Runs = 2 }, "fresh server"},
		{"more frames than are in flight", "limit", func(o *Options) { o.FramesPerWrite = 5 }, "--frames-per-write must be at most --in-flight"},
		{"a process that is not there", "fanout", func(o *Options) { o.PIDs = []int{1 << 30} }, "there is no process"},
		{"another machine", "fanout", func(o *Options) { o.URLs[0] = "http://192.0.2.1:6001" }, "192.0.2.1 (192.0.2.1) is not this machine: load is put on a server elsewhere only with --allow-remote"},
		{"the same process twice", "fanout", func(o *Options) { o.PIDs = []int{1, 1} }, "--pid must be the id of a process, each once, not 1"},
		{"too many servers", "fanout", func(o *Options) { o.URLs = make([]string, 300) }, "--url may be given 256 times, not 300"},
		{"members that no channel gets", "clientevents", func(o *Options) { o.Channels = 7 }, "--connections must be a multiple of --channels"},
		{"metrics of several servers", "idle", func(o *Options) { o.Metrics, o.URLs = "http://127.0.0.1:1", append(o.URLs, o.URLs...) }, "--metrics are those of one process"},
		{"a storm without a rate", "presence-storm", func(o *Options) { o.Rate = 0 }, "--rate must be at least 1"},
		{"no URL", "fanout", func(o *Options) { o.URLs[0] = "127.0.0.1:6001" }, "--url must be an http or https URL"},
		{"a password in the URL", "fanout", func(o *Options) { o.URLs[0] = "http://a:b@127.0.0.1" }, "--url must be"},
		{"a server that is not there", "fanout", func(o *Options) { o.URLs[0] = "http://127.0.0.1:1" }, "connection 1 of 1004: connect: connection refused"},
		{"no writer", "limit", nil, "no command is known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := find(tt.scenario)
			o := s.Defaults
			o.Scenario, o.URLs, o.AppID, o.Timeout = tt.scenario, []string{"http://127.0.0.1:1"}, "1", time.Second
			o.Key = auth.Key{Key: "k", Secret: "s"}
			if tt.change != nil {
				tt.change(&o)
			}
			_, err := Run(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestTarget(t *testing.T) {
	for url, want := range map[string]target{
		"http://127.0.0.1:6001":         {host: "127.0.0.1:6001", socket: "/app/k", api: "/apps/1"},
		"http://[::1]:6001/":            {host: "[::1]:6001", socket: "/app/k", api: "/apps/1"},
		"https://127.0.0.1/real%20time": {host: "127.0.0.1", tls: true, socket: "/real%20time/app/k", api: "/real%20time/apps/1"},
	} {
		got, err := newTarget(t.Context(), &Options{AppID: "1", Key: auth.Key{Key: "k"}}, url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		path, _, _ := strings.Cut(got.socket, "?")
		if got.host != want.host || got.tls != want.tls || path != want.socket || got.api != want.api || !got.address.IsValid() {
			t.Errorf("%s: %+v", url, got)
		}
	}
	remote, err := newTarget(t.Context(), &Options{AllowRemote: true}, "https://192.0.2.1")
	if err != nil || remote.address.String() != "192.0.2.1:443" || remote.hostname() != "192.0.2.1" {
		t.Errorf("a server that may be remote: %+v, %v", remote, err)
	}
}
