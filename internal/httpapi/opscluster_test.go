package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
)

func TestShowCluster(t *testing.T) {
	status := httpapi.ClusterStatus{
		ID: "00000000000000ff", Name: "node-1", Version: "1.2.3", Ready: true,
		Engine: httpapi.ClusterEngine{Engine: "redis", Servers: []string{"127.0.0.1:6379"}, Version: "7.0.15", Up: true, SinceMS: 5},
		Nodes: []httpapi.ClusterNode{
			{ID: "00000000000000ff", Name: "node-1", Version: "1.2.3", State: "self", StartedMS: 4, Connections: 3, LagMS: 0.5},
		},
		Settled:  true,
		Counters: map[string]float64{"published_total": 2, "link_up": 1},
	}
	const want = `{"id":"00000000000000ff","name":"node-1","version":"1.2.3","ready":true,` +
		`"engine":{"engine":"redis","servers":["127.0.0.1:6379"],"version":"7.0.15","up":true,"since_ms":5},"settled":true,` +
		`"nodes":[{"id":"00000000000000ff","name":"node-1","version":"1.2.3","state":"self","started_ms":4,"connections":3,"lag_ms":0.5}],` +
		`"counters":{"link_up":1,"published_total":2}}`
	for name, c := range map[string]struct {
		method  string
		options httpapi.OpsAPIOptions
		status  int
		body    string
	}{
		"of a cluster":      {"GET", httpapi.OpsAPIOptions{Cluster: func() httpapi.ClusterStatus { return status }}, 200, want},
		"of a single node":  {"GET", httpapi.OpsAPIOptions{}, 501, "This node is alone: no engine is configured (cluster.engine, PIPESOCKETD_CLUSTER_ENGINE)"},
		"by another method": {"POST", httpapi.OpsAPIOptions{}, 405, ""},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			httpapi.NewOpsAPI(c.options).ServeHTTP(recorder, httptest.NewRequest(c.method, "/api/cluster", nil))
			if recorder.Code != c.status || c.body != "" && strings.TrimSpace(recorder.Body.String()) != c.body {
				t.Errorf("%d %s\nwant %d %s", recorder.Code, recorder.Body, c.status, c.body)
			}
		})
	}
	t.Run("is guarded by the token", func(t *testing.T) {
		h := httpapi.NewOps(httpapi.OpsOptions{
			Access: func() httpapi.OpsAccess { return httpapi.OpsAccess{Token: opsToken} },
			API:    httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Cluster: func() httpapi.ClusterStatus { return status }}),
		})
		for want, header := range map[int]http.Header{401: nil, 200: bearer("Bearer " + opsToken)} {
			if got := (opsRequest{path: "/api/cluster", header: header}).ask(h); got.Code != want {
				t.Errorf("%v is answered with %d %s", header, got.Code, got.Body)
			}
		}
	})
}
