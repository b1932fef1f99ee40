package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/bench"
)

// resultsFormat is the version of the file's form.
const resultsFormat = 1

// results are those of one run of this program, or of several with -only, each
// of which replaces its series.
type results struct {
	Format int            `json:"format"`
	Server string         `json:"server"` // version
	Host   bench.Host     `json:"host"`
	Series []seriesResult `json:"series"`
}

type seriesResult struct {
	Name    string        `json:"name"`
	Started time.Time     `json:"started"`
	Quick   bool          `json:"quick,omitempty"` // fewer and shorter measurements
	Points  []pointResult `json:"points"`
}

type pointResult struct {
	X     int          `json:"x"`
	Note  string       `json:"note,omitempty"`
	Lines []lineResult `json:"lines"`
}

// lineResult holds medians.
type lineResult struct {
	Name     string             `json:"name"`
	Setup    string             `json:"setup,omitempty"`
	Runs     int                `json:"runs"`
	Figures  map[string]float64 `json:"figures,omitempty"`
	Lost     uint64             `json:"lost,omitempty"`
	Warnings []string           `json:"warnings,omitempty"`
	Failure  string             `json:"failure,omitempty"`
}

var errFormat = errors.New("is not a file of results")

func readResults(path string) (*results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	var r results
	if err := json.Unmarshal(text, &r); err != nil || r.Format != resultsFormat {
		return nil, fmt.Errorf("read results: %s %w", path, errFormat)
	}
	return &r, nil
}

func (r *results) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// put adds a series in the place of an older one of the same name.
func (r *results) put(s *seriesResult) {
	i := slices.IndexFunc(r.Series, func(old seriesResult) bool { return old.Name == s.Name })
	if i < 0 {
		r.Series = append(r.Series, *s)
		return
	}
	r.Series[i] = *s
}

func (r *results) series(name string) *seriesResult {
	i := slices.IndexFunc(r.Series, func(s seriesResult) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &r.Series[i]
}

// value returns a figure of a line.
func (p *pointResult) value(line, figure string) (float64, bool) {
	i := slices.IndexFunc(p.Lines, func(l lineResult) bool { return l.Name == line })
	if i < 0 {
		return 0, false
	}
	v, ok := p.Lines[i].Figures[figure]
	return v, ok
}

// lineOf sums up the runs of one load.
func lineOf(name string, runs []bench.Result) lineResult {
	l := lineResult{Name: name, Runs: len(runs), Figures: map[string]float64{}}
	values := map[string][]float64{}
	for _, run := range runs {
		l.Setup = run.Setup
		l.Lost += run.Accounting.Lost
		for _, figure := range run.Figures {
			values[figure.Name] = append(values[figure.Name], figure.Value)
		}
		for _, warning := range run.Warnings {
			if !slices.Contains(l.Warnings, warning) {
				l.Warnings = append(l.Warnings, warning)
			}
		}
	}
	for figure, all := range values {
		l.Figures[figure] = significant(median(all))
	}
	return l
}

// median of at least one value.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
