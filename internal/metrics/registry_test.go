package metrics

import (
	"maps"
	"runtime"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
)

// gather returns the metric families of g by name.
func gather(t *testing.T, g prometheus.Gatherer) map[string]*dto.MetricFamily {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatalf("gather: %v", err)
	}
	byName := make(map[string]*dto.MetricFamily, len(families))
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

func TestNewHasTheProcessCollectors(t *testing.T) {
	families := gather(t, New("1.2.3"))
	want := []string{"go_goroutines", "go_info", "go_build_info", "pipesocketd_build_info"}
	if runtime.GOOS == "linux" {
		want = append(want, "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds")
	}
	for _, name := range want {
		if families[name] == nil {
			t.Errorf("%s is missing among %v", name, slices.Sorted(maps.Keys(families)))
		}
	}
}

func TestBuildInfo(t *testing.T) {
	family := gather(t, New("1.2.3"))["pipesocketd_build_info"]
	if len(family.GetMetric()) != 1 {
		t.Fatalf("family %v, want one metric", family)
	}
	metric := family.GetMetric()[0]
	labels := map[string]string{}
	for _, pair := range metric.GetLabel() {
		labels[pair.GetName()] = pair.GetValue()
	}
	want := map[string]string{"version": "1.2.3", "goversion": runtime.Version()}
	if metric.GetGauge().GetValue() != 1 || !maps.Equal(labels, want) {
		t.Errorf("value %v, labels %v, want 1, %v", metric.GetGauge().GetValue(), labels, want)
	}
}

func TestNamesPassTheLinter(t *testing.T) {
	families := slices.Collect(maps.Values(gather(t, New("1.2.3"))))
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatalf("lint: %v", err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestRegistriesAreIndependent(t *testing.T) {
	a, b := New("1"), New("1")
	a.MustRegister(prometheus.NewCounter(prometheus.CounterOpts{Namespace: Namespace, Name: "x_total", Help: "X."}))
	if gather(t, a)["pipesocketd_x_total"] == nil || gather(t, b)["pipesocketd_x_total"] != nil {
		t.Error("the counter must stand in its own registry and in no other")
	}
	if gather(t, prometheus.DefaultGatherer)["pipesocketd_build_info"] != nil {
		t.Error("the global registry was touched")
	}
}

func TestLatencyBuckets(t *testing.T) {
	buckets := LatencyBuckets()
	for i := 1; i < len(buckets); i++ {
		if buckets[i] <= buckets[i-1] {
			t.Errorf("bucket %d is %v after %v", i, buckets[i], buckets[i-1])
		}
	}
	if buckets[0] = 7; LatencyBuckets()[0] == 7 {
		t.Error("callers share one slice")
	}
}
