package main

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func (s *series) amounts() (all []int) {
	for _, p := range s.points {
		all = append(all, p.x)
	}
	return all
}

func TestPlan(t *testing.T) {
	tests := []struct {
		name   string
		limits limits
		effort effort
		want   map[string][]int
	}{
		{"a machine that allows everything", limits{connections: 100_000, cpus: 8}, fullEffort(), map[string][]int{
			"subscribers": {10, 100, 1000, 5000, 20_000},
			"channels":    {1, 100, 10_000, 100_000, 1_000_000},
			"connections": {1000, 5000, 10_000, 20_000, 50_000, 100_000},
			"payload":     {16, 256, 1024, 10_240, 102_400},
			"cores":       {1, 2, 4, 8},
		}},
		{"a limit of 20,000 files and two cores", limits{connections: connectionsOf(20_000), cpus: 2}, fullEffort(), map[string][]int{
			"subscribers": {10, 100, 1000, 5000, 19_000},
			"channels":    {1, 100, 10_000, 100_000, 1_000_000},
			"connections": {1000, 5000, 10_000, 19_000},
			"payload":     {16, 256, 1024, 10_240, 102_400},
			"cores":       {1, 2},
		}},
		{"a limit below most amounts", limits{connections: connectionsOf(1024), cpus: 1}, fullEffort(), map[string][]int{
			"subscribers": {10, 100, 424},
			"channels":    {1, 100, 10_000, 100_000, 1_000_000},
			"connections": {424},
			"payload":     {16, 256, 1024, 10_240, 102_400},
			"cores":       {1},
		}},
		{"quick", limits{connections: 100_000, cpus: 2}, quickEffort(), map[string][]int{
			"subscribers": {10, 100, 1000},
			"channels":    {1, 100, 10_000},
			"connections": {1000, 3000},
			"payload":     {16, 1024, 102_400},
			"cores":       {1, 2},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			all := plan(tt.limits, tt.effort)
			if len(all) != len(tt.want) {
				t.Errorf("%d series, want %d", len(all), len(tt.want))
			}
			for i := range all {
				if got := all[i].amounts(); !slices.Equal(got, tt.want[all[i].name]) {
					t.Errorf("%s: %v, want %v", all[i].name, got, tt.want[all[i].name])
				}
				for _, p := range all[i].points {
					if (p.note != "") != (p.x == tt.limits.connections && p.x < 20_000) {
						t.Errorf("%s at %d has the note %q", all[i].name, p.x, p.note)
					}
				}
			}
		})
	}
}

// What every load takes besides its warm-up and measurement, generously: starting,
// connecting 1,000 connections, waiting for what is late.
const loadOverhead = time.Second

func TestPlanTakesItsTime(t *testing.T) {
	for name, tt := range map[string]struct {
		effort effort
		most   time.Duration
	}{"full": {fullEffort(), 12 * time.Minute}, "quick": {quickEffort(), 2 * time.Minute}} {
		var total time.Duration
		for _, s := range plan(limits{connections: 19_000, cpus: 2}, tt.effort) {
			for _, p := range s.points {
				for _, l := range p.loads {
					runs := tt.effort.runs
					if l.once {
						runs = 1
						total += tt.effort.warmup + tt.effort.settle
					}
					connects := time.Duration(p.x) * 200 * time.Microsecond // at 5,000 a second
					if s.name == "channels" {
						connects = time.Duration(p.x) * 20 * time.Microsecond // at 50,000 a second
					}
					total += time.Duration(runs) * (tt.effort.warmup + tt.effort.duration + loadOverhead + connects)
				}
			}
		}
		if total > tt.most {
			t.Errorf("a %s run takes about %s, want at most %s", name, total, tt.most)
		}
	}
}

func TestOnly(t *testing.T) {
	all := plan(limits{connections: 1000, cpus: 1}, quickEffort())
	if got, err := only(all, nil); err != nil || len(got) != len(all) {
		t.Errorf("without names %d series, %v", len(got), err)
	}
	got, err := only(all, []string{"payload", "channels"})
	if err != nil || len(got) != 2 || got[0].name != "payload" || got[1].name != "channels" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := only(all, []string{"payloads"}); err == nil || !strings.Contains(err.Error(), `no series "payloads"`) {
		t.Errorf("error %v", err)
	}
}

// Every line of a chart has a load, every series a chart.
func TestChartsShowWhatIsPlanned(t *testing.T) {
	all := plan(limits{connections: 1000, cpus: 1}, fullEffort())
	shown := charts()
	if len(shown) != len(all) {
		t.Errorf("%d charts of %d series", len(shown), len(all))
	}
	for i, c := range shown {
		if c.series != all[i].name {
			t.Errorf("chart %d is of %s, want %s", i, c.series, all[i].name)
		}
		for _, l := range slices.Concat(c.left.lines, c.right.lines) {
			if !slices.ContainsFunc(all[i].points[0].loads, func(o load) bool { return o.name == l.load }) {
				t.Errorf("%s shows %q, which is not measured", c.series, l.load)
			}
		}
	}
}
