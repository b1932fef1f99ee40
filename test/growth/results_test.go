package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/bench"
)

// sample returns results of two series, with a hole and a failure.
func sample() *results {
	figures := func(cost, rate float64) map[string]float64 {
		return map[string]float64{figureCost: cost, figureReceived: rate}
	}
	payload := seriesResult{Name: "payload", Started: time.Unix(1_764_000_000, 0).UTC(), Points: []pointResult{
		{X: 16, Lines: []lineResult{{Name: loadFanout, Runs: 3, Figures: figures(4.5, 12)}}},
		{X: 1024, Lines: []lineResult{{Name: loadFanout, Failure: "no <server> & co"}}},
		{X: 102_400, Note: "n", Lines: []lineResult{{Name: loadFanout, Runs: 3, Figures: figures(33.7, 2100)}}},
	}}
	channels := seriesResult{Name: "channels", Started: payload.Started, Points: []pointResult{
		{X: 1, Lines: []lineResult{{Name: loadChannels, Runs: 1, Figures: map[string]float64{figureEvents: 70, figureChannel: 99}}}},
		{X: 1_000_000, Lines: []lineResult{{Name: loadChannels, Runs: 1, Figures: map[string]float64{figureEvents: 150, figureChannel: 0.5}}}},
	}}
	return &results{Format: resultsFormat, Server: "v1", Host: bench.Host{Cores: 2}, Series: []seriesResult{payload, channels}}
}

func TestResultsComeBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	want := sample()
	if err := want.write(path); err != nil {
		t.Fatal(err)
	}
	got, err := readResults(path)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestReadResultsRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.json")
	if _, err := readResults(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	for _, text := range []string{"", "{}", `{"format":2}`, "[]"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readResults(path); !errors.Is(err, errFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestPutReplacesASeries(t *testing.T) {
	r := sample()
	r.put(&seriesResult{Name: "payload", Quick: true})
	r.put(&seriesResult{Name: "cores"})
	if len(r.Series) != 3 || !r.Series[0].Quick || len(r.Series[0].Points) != 0 || r.Series[2].Name != "cores" {
		t.Errorf("%+v", r.Series)
	}
}

func TestLineOfRuns(t *testing.T) {
	run := func(cost float64, lost uint64, warnings ...string) bench.Result {
		return bench.Result{
			Setup: "s", Warnings: warnings, Accounting: bench.Accounting{Lost: lost},
			Figures: []bench.Figure{{Name: figureCost, Value: cost}, {Name: figureRate, Value: 123_456.7}},
		}
	}
	got := lineOf("l", []bench.Result{run(9, 1, "a"), run(1, 0), run(2.00004, 2, "a", "b")})
	want := lineResult{
		Name: "l", Setup: "s", Runs: 3, Lost: 3, Warnings: []string{"a", "b"},
		Figures: map[string]float64{figureCost: 2, figureRate: 123_500},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
