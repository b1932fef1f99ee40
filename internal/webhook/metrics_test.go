package webhook

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers []int
		r := &receiver{answer: func(request) (int, error) {
			status := answers[0]
			answers = answers[1:]
			return status, nil
		}}
		answers = []int{500, 404, 200, 200}
		registry := prometheus.NewPedanticRegistry()
		app := newApp("1001", hook())
		d := start(t, Options{Transport: r, Metrics: registry, GraceDelay: time.Minute})
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
		time.Sleep(5 * time.Second)
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "d", ""))
		d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
		synctest.Wait()
		if err := testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP pipesocketd_webhook_attempts_total Webhook requests, by how they ended.
# TYPE pipesocketd_webhook_attempts_total counter
pipesocketd_webhook_attempts_total{app="1001",outcome="delivered"} 2
pipesocketd_webhook_attempts_total{app="1001",outcome="http_4xx"} 1
pipesocketd_webhook_attempts_total{app="1001",outcome="http_5xx"} 1
# HELP pipesocketd_webhook_delayed_notices channel_vacated and member_removed waiting for their delay.
# TYPE pipesocketd_webhook_delayed_notices gauge
pipesocketd_webhook_delayed_notices 1
# HELP pipesocketd_webhook_delays_cut_total Delayed notices that left early because too many were waiting.
# TYPE pipesocketd_webhook_delays_cut_total counter
pipesocketd_webhook_delays_cut_total 0
# HELP pipesocketd_webhook_queue_bytes Bytes of payloads waiting for an attempt.
# TYPE pipesocketd_webhook_queue_bytes gauge
pipesocketd_webhook_queue_bytes{app="1001"} 0
# HELP pipesocketd_webhook_queue_payloads Payloads waiting for an attempt.
# TYPE pipesocketd_webhook_queue_payloads gauge
pipesocketd_webhook_queue_payloads{app="1001"} 0
`), "pipesocketd_webhook_attempts_total", "pipesocketd_webhook_delayed_notices", "pipesocketd_webhook_delays_cut_total",
			"pipesocketd_webhook_queue_bytes", "pipesocketd_webhook_queue_payloads"); err != nil {
			t.Error(err)
		}
		if n := testutil.CollectAndCount(d.metrics.duration); n != 1 {
			t.Errorf("%d duration histograms, want 1", n)
		}
		faults, err := testutil.GatherAndLint(registry)
		if err != nil || len(faults) > 0 {
			t.Errorf("lint finds %v, %v", faults, err)
		}
		answers = []int{200}
	})
}

func TestMetricsRegisteredTwice(t *testing.T) {
	registry := prometheus.NewRegistry()
	if _, err := New(Options{Metrics: registry}); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{Metrics: registry}); err == nil {
		t.Error("a second dispatcher registers the same metrics")
	}
}
