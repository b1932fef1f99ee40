package httpapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/metrics"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func ask(h http.Handler, method, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(method, path, nil))
	return recorder
}

func TestOps(t *testing.T) {
	var reasons []string
	ops := httpapi.NewOps(httpapi.OpsOptions{
		Ready:    func() []string { return reasons },
		Gatherer: metrics.New("1.2.3"),
	})
	tests := []struct {
		name, method, path string
		reasons            []string
		status             int
		want               string // all of the body, or a part of it after "…"
	}{
		{"live", "GET", "/live", []string{"draining"}, http.StatusOK, "ok\n"},
		{"ready", "GET", "/ready", nil, http.StatusOK, `{"status":"ready"}`},
		{"not ready", "GET", "/ready", []string{"starting", `a "quote"`}, http.StatusServiceUnavailable, `{"status":"not ready","reasons":["starting","a \"quote\""]}`},
		{"metrics", "GET", "/metrics", nil, http.StatusOK, `…pipesocketd_build_info{`},
		{"index", "GET", "/", nil, http.StatusOK, "…/metrics"},
		{"no profiles", "GET", "/debug/pprof/", nil, http.StatusNotFound, "…"},
		{"no command line", "GET", "/debug/pprof/cmdline", nil, http.StatusNotFound, "…"},
		{"unknown path", "GET", "/nope", nil, http.StatusNotFound, "…"},
		{"wrong method", "POST", "/ready", nil, http.StatusMethodNotAllowed, ""},
		{"no API here", "GET", "/apps/3/channels", nil, http.StatusNotFound, "…"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reasons = tt.reasons
			got := ask(ops, tt.method, tt.path)
			part, cut := strings.CutPrefix(tt.want, "…")
			if got.Code != tt.status || cut && !strings.Contains(got.Body.String(), part) || !cut && got.Body.String() != tt.want {
				t.Errorf("%d %.300s\nwant %d %s", got.Code, got.Body, tt.status, tt.want)
			}
		})
	}
}

func TestOpsProfiles(t *testing.T) {
	ops := httpapi.NewOps(httpapi.OpsOptions{
		Ready: func() []string { return nil }, Gatherer: prometheus.NewRegistry(), Pprof: true,
	})
	for _, path := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine", "/debug/pprof/heap", "/debug/pprof/symbol"} {
		if got := ask(ops, "GET", path); got.Code != http.StatusOK || got.Body.Len() == 0 {
			t.Errorf("%s: %d with %d bytes", path, got.Code, got.Body.Len())
		}
	}
	if got := ask(ops, "GET", "/"); !strings.Contains(got.Body.String(), "/debug/pprof/") {
		t.Errorf("index without profiles: %s", got.Body)
	}
}

func TestOpsLogsCollectorsThatFail(t *testing.T) {
	log := &testkit.LogCapture{}
	broken := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return nil, errors.New("broken collector") })
	ops := httpapi.NewOps(httpapi.OpsOptions{Ready: func() []string { return nil }, Gatherer: broken, Log: log.Logger()})
	ask(ops, "GET", "/metrics")
	if records := log.Records(); len(records) != 1 || !strings.Contains(records[0].Attrs["error"], "broken collector") {
		t.Errorf("log %v", records)
	}
}
