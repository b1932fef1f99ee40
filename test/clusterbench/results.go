package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/bench"
)

// results are all that has been measured, in order of time.
type results struct {
	Host string   `json:"host"`
	Runs []result `json:"runs"`
}

// result is one load on one system.
type result struct {
	System   string             `json:"system"`
	Load     string             `json:"load"`
	What     string             `json:"what"`
	Presence bool               `json:"presence,omitempty"`
	Figures  map[string]float64 `json:"figures"`
	Lost     uint64             `json:"lost"`
	Unclean  bool               `json:"unclean,omitempty"` // something was lost, repeated, refused or late
	Warnings []string           `json:"warnings,omitempty"`
}

// Figures that are made of those of the load tool: CPU seconds per million
// deliveries, or milliseconds per join and leave.
const (
	costOfNodes  = "CPU of nodes"
	costOfEngine = "CPU of engine"
	costOfAll    = "CPU"
)

var costOfProcess = regexp.MustCompile(`^process (\d+) \(.*\) CPU per (million deliveries|thousand joins)$`)

// resultOf takes over a run. The first processes are those of the nodes.
func resultOf(s *system, l *load, run *bench.Result) result {
	a := &run.Accounting
	r := result{
		System: s.name, Load: l.name, What: l.what, Presence: l.presence, Figures: map[string]float64{}, Lost: a.Lost, Warnings: run.Warnings,
		Unclean: a.Lost+a.Duplicated+a.Foreign+a.Failed+a.Unsent+a.Refused+a.Closed > 0,
	}
	var nodes, engine float64
	for _, f := range run.Figures {
		r.Figures[f.Name] = f.Value
		if found := costOfProcess.FindStringSubmatch(f.Name); found != nil {
			var number int
			_, _ = fmt.Sscan(found[1], &number)
			if number <= s.nodes {
				nodes += f.Value
			} else {
				engine += f.Value
			}
		}
	}
	if s.nodes == 1 {
		nodes = r.Figures["server CPU per million deliveries"]
		if l.presence {
			nodes = r.Figures["server CPU per join and leave"]
		}
	}
	r.Figures[costOfNodes], r.Figures[costOfEngine], r.Figures[costOfAll] = nodes, engine, nodes+engine
	return r
}

// summary is what progress tells.
func (r *result) summary() string {
	parts := []string{fmt.Sprintf("CPU %.3g + %.3g", r.Figures[costOfNodes], r.Figures[costOfEngine])}
	for _, name := range []string{
		"deliveries per second", "deliveries between servers per second", "latency p50", "latency p99",
		"added between servers to p50", "joins per second", "join p50", "join p99", "CPU of other processes", "servers that see other members",
	} {
		if v, ok := r.Figures[name]; ok {
			parts = append(parts, fmt.Sprintf("%s %.3g", name, v))
		}
	}
	if r.Unclean {
		parts = append(parts, "NOT CLEAN")
	}
	return strings.Join(parts, ", ")
}

func readResults(path string) (*results, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read results: %w", err)
	}
	var r results
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read results: %s: %w", path, err)
	}
	return &r, nil
}

func (r *results) write(path string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write results: %w", err)
	}
	return nil
}

// of returns the runs of a load on a system.
func (r *results) of(load, system string) (all []*result) {
	for i := range r.Runs {
		if r.Runs[i].Load == load && r.Runs[i].System == system {
			all = append(all, &r.Runs[i])
		}
	}
	return all
}

// loads returns the names of all loads in the order in which they came first.
func (r *results) loads() (names []string) {
	for i := range r.Runs {
		if !slices.Contains(names, r.Runs[i].Load) {
			names = append(names, r.Runs[i].Load)
		}
	}
	return names
}
