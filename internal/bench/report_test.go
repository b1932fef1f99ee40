package bench

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func resultOf(scenario, setup string, figures ...Figure) Result {
	return Result{Scenario: scenario, Setup: setup, Figures: figures}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("median of %v is %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestRound(t *testing.T) {
	for value, want := range map[float64]string{0: "0", 0.01234: "0.0123", 1: "1.00", 12.345: "12.3", 123.4: "123", 123456: "123456", -0.5: "-0.500"} {
		if got := round(value); got != want {
			t.Errorf("%v is written %s, want %s", value, got, want)
		}
	}
}

func TestReportsCollectInAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	for i := range 3 {
		r := NewReport("v1", []Result{resultOf("fanout", "s", Figure{"x", "s", float64(i), Lower})})
		if err := r.Append(path); err != nil {
			t.Fatal(err)
		}
	}
	all, err := ReadReport(path)
	if err != nil || len(all.Runs) != 3 || all.Tool != "v1" || all.Host.Cores == 0 {
		t.Fatalf("read %+v, %v", all, err)
	}
	if m, ok := all.groups()[0].median("x"); !ok || m != 1 {
		t.Errorf("median %v %v", m, ok)
	}
}

func TestReadReportRefusesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.json")
	for _, text := range []string{"", "[]", `{"format":2}`, `{"name":"package"}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadReport(path); !errors.Is(err, ErrNotReport) {
			t.Errorf("%q: %v", text, err)
		}
		if err := NewReport("v", nil).Append(path); !errors.Is(err, ErrNotReport) {
			t.Errorf("%q was overwritten: %v", text, err)
		}
	}
}

func TestMarkdown(t *testing.T) {
	one := resultOf("fanout", "big", Figure{figureCost, "s", 6, Lower})
	one.Accounting = Accounting{Sent: 2, Expected: 20, Delivered: 19, Lost: 1, Failed: 1, Failure: "the server answered 500: oops"}
	one.Warnings = []string{"look here"}
	two := one
	two.Figures = []Figure{{figureCost, "s", 8, Lower}}
	floor := resultOf("limit", "bare", Figure{figureCost, "s", 3.5, Lower})
	var b bytes.Buffer
	if err := NewReport("v1", []Result{one, two, floor}).WriteMarkdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"## fanout\n\nbig; 2 runs.\n\n| figure | unit | median | least | most |",
		"| server CPU per million deliveries | s | 7.00 | 6.00 | 8.00 |",
		"- 2.00 × 3.50 (bare)",
		"4 sent, 40 deliveries expected, 38 delivered, 2 lost, 0 duplicated.",
		"2 failed requests", "the first: the server answered 500: oops.",
		"**Warning:** look here.\n",
		"## limit\n\nbare; 1 run.\n\n| figure | unit | value |",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	if strings.Count(b.String(), "look here") != 1 || strings.Count(b.String(), "beside bare writes") != 1 {
		t.Errorf("repetitions in\n%s", &b)
	}
}

func TestMarkdownTellsTheDistanceToEachFloor(t *testing.T) {
	for _, tt := range []struct {
		scenario string
		channels int
		want     int
	}{
		{"fanout", 1, 2}, {"clientevents", 1, 2}, {"clientevents", 10, 1}, {"channels", 10, 1}, {"batch", 10, 1},
	} {
		scenario := tt.scenario
		o := Options{Scenario: scenario, Connections: 100, Channels: tt.channels, Subscribers: 3, Size: 256, InFlight: 4}
		results := []Result{resultOf(scenario, "load", Figure{figureCost, "s", 6, Lower})}
		for _, floor := range floorsOf(&o) {
			results = append(results, resultOf("limit", limitScenario.setup(&floor), Figure{figureCost, "s", 3, Lower}))
		}
		var b bytes.Buffer
		if err := NewReport("v1", results).WriteMarkdown(&b); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(b.String(), "- 2.00 × 3.00 (100 sockets, 256 bytes of data, "); got != tt.want {
			t.Errorf("%s is compared with %d floors, want %d, in\n%s", scenario, got, tt.want, &b)
		}
	}
}

func TestCompare(t *testing.T) {
	first := NewReport("v1", []Result{
		resultOf("fanout", "s", Figure{"cost", "s", 10, Lower}, Figure{"rate", "1/s", 100, Higher}, Figure{"own", "s", 3, ""}, Figure{"old", "s", 1, Lower}),
		resultOf("fanout", "s", Figure{"cost", "s", 12, Lower}, Figure{"rate", "1/s", 100, Higher}, Figure{"own", "s", 3, ""}),
		resultOf("slow", "s", Figure{"cost", "s", 1, Lower}),
	})
	second := NewReport("v2", []Result{
		resultOf("idle", "s", Figure{"cost", "s", 1, Lower}),
		resultOf("fanout", "s", Figure{"cost", "s", 5.5, Lower}, Figure{"rate", "1/s", 99, Higher}, Figure{"own", "s", 9, ""}),
	})
	var b bytes.Buffer
	if err := Compare(&b, first, second); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"medians of 2 and 1 runs",
		"| cost | s | 11.0 | 5.50 | 0.50 | better |",
		"| rate | 1/s | 100 | 99.0 | 0.99 |  |",
		"| own | s | 3.00 | 9.00 | 3.00 |  |",
		"slow, s: only in the first report.",
		"idle, s: only in the second report.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "| old |") {
		t.Errorf("a figure of one report only in\n%s", &b)
	}
	worse := verdict(Figure{Value: 100, Better: Higher}, 50)
	if worse != "worse" {
		t.Errorf("half the rate is called %q", worse)
	}
	if err := Compare(&b, first, NewReport("v3", nil)); !errors.Is(err, ErrNothingInCommon) {
		t.Errorf("nothing in common: %v", err)
	}
}
