package httpapi_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

func TestRequestsAreCounted(t *testing.T) {
	f := newFixture(t)
	f.send(post(events, `{"name":"e","channel":"a","data":"1"}`))
	f.send(post(events, `{"name":"e","channel":"a","data":"1"}`))
	f.send(post(events, `{`))
	f.send(get("/apps/3/channels/some-channel"))
	f.send(post("/apps/not-an-app/events", ""))
	f.send(get("/no/such/path"))
	f.send(get(events))
	wrong := get("/apps/3/channels")
	wrong.pair = auth.Key{Key: pair.Key, Secret: "wrong"}
	f.send(wrong)
	f.send(request{method: "POST", path: "/users/1/terminate_connections", query: "x=1"})

	got := f.counters()
	for _, want := range []string{
		`pipesocketd_http_requests_total app=3 code=200 route=/apps/{app}/events 2`,
		`pipesocketd_http_requests_total app=3 code=400 route=/apps/{app}/events 1`,
		`pipesocketd_http_requests_total app=3 code=200 route=/apps/{app}/channels/{channel} 1`,
		`pipesocketd_http_requests_total app= code=404 route=/apps/{app}/events 1`,
		`pipesocketd_http_requests_total app= code=404 route=other 1`,
		`pipesocketd_http_requests_total app= code=405 route=/apps/{app}/events 1`,
		`pipesocketd_http_requests_total app=3 code=401 route=/apps/{app}/channels 1`,
		`pipesocketd_http_requests_total app= code=401 route=/users/{user}/terminate_connections 1`,
		`pipesocketd_http_signatures_refused_total app=3 reason=signature 1`,
		`pipesocketd_http_signatures_refused_total app= reason=missing_parameter 1`,
		`pipesocketd_http_request_duration_seconds route=/apps/{app}/events 4`,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("missing %s\namong\n%s", want, strings.Join(got, "\n"))
		}
	}
	if len(got) != 10+10 { // the counters above and a histogram for each route
		t.Errorf("%d series\n%s", len(got), strings.Join(got, "\n"))
	}
}

// counters returns every series as "NAME LABEL=VALUE … NUMBER"; the number of a
// histogram is its count.
func (f *fixture) counters() []string {
	f.t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	var series []string
	for _, family := range families {
		for _, m := range family.GetMetric() {
			line := family.GetName()
			for _, label := range m.GetLabel() {
				line += " " + label.GetName() + "=" + label.GetValue()
			}
			value := m.GetCounter().GetValue()
			if h := m.GetHistogram(); h != nil {
				value = float64(h.GetSampleCount())
			}
			series = append(series, fmt.Sprintf("%s %v", line, value))
		}
	}
	return series
}

// Strangers cannot make series: labels do not grow with what they send.
func TestLabelsAreBounded(t *testing.T) {
	f := newFixture(t)
	strange := func(i int) {
		f.send(get(fmt.Sprintf("/path/%d", i)))
		f.send(post(fmt.Sprintf("/apps/%d/events", 1000+i), ""))
		f.send(request{method: fmt.Sprintf("M%d", i), path: events})
		f.send(get(fmt.Sprintf("/apps/3/channels/channel-%d", i)))
		f.send(post(fmt.Sprintf("/apps/3/users/%d/terminate_connections", i), ""))
	}
	strange(0)
	before := len(f.counters())
	for i := range 20 {
		strange(i + 1)
	}
	if after := len(f.counters()); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

func TestMetricNamesPassTheLinter(t *testing.T) {
	f := newFixture(t)
	f.send(post(events, ""))
	families, err := f.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
