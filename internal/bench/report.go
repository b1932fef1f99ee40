package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
)

// reportFormat is the version of the JSON form.
const reportFormat = 1

// Report is what a file holds: runs, of one or several scenarios, made on one
// machine by one build of the tool.
type Report struct {
	Format int      `json:"format"`
	Tool   string   `json:"tool"` // version of the generator, which need not be the server's
	Host   Host     `json:"host"`
	Runs   []Result `json:"runs"`
}

// Host is the machine that everything ran on.
type Host struct {
	System string `json:"system"`
	Kernel string `json:"kernel,omitempty"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	Go     string `json:"go"`
}

// NewReport returns a report of runs on this machine.
func NewReport(tool string, runs []Result) *Report {
	return &Report{Format: reportFormat, Tool: tool, Host: thisHost(), Runs: runs}
}

func thisHost() Host {
	return Host{
		System: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: kernelRelease(),
		CPU:    cpuModel(),
		Cores:  machineCores(),
		Go:     runtime.Version(),
	}
}

// ErrNotReport is returned for a file that is not one of ours.
var ErrNotReport = errors.New("is not a report of this tool")

// ReadReport reads a report from a file.
func ReadReport(path string) (*Report, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	var r Report
	if err := json.Unmarshal(text, &r); err != nil || r.Format != reportFormat {
		return nil, fmt.Errorf("read report: %s %w", path, ErrNotReport)
	}
	return &r, nil
}

// Append adds the report's runs to those of a file, which is made if it is not
// there. The machine told in the file is that of the first runs.
func (r *Report) Append(path string) error {
	all := *r
	before, err := ReadReport(path)
	switch {
	case err == nil:
		all = *before
		all.Runs = slices.Concat(before.Runs, r.Runs)
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	text, err := json.MarshalIndent(&all, "", "  ")
	if err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.WriteFile(path, append(text, '\n'), 0o644); err != nil { //nolint:gosec // figures are no secret
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// group is the runs of one setup.
type group struct {
	scenario, setup string
	runs            []Result
}

// groups puts runs of the same setup together, in the order in which the setups
// came first.
func (r *Report) groups() []group {
	var all []group
	for _, run := range r.Runs {
		i := slices.IndexFunc(all, func(g group) bool { return g.scenario == run.Scenario && g.setup == run.Setup })
		if i < 0 {
			i = len(all)
			all = append(all, group{scenario: run.Scenario, setup: run.Setup})
		}
		all[i].runs = append(all[i].runs, run)
	}
	return all
}

// summary is one figure over the runs of a group.
type summary struct {
	Figure      // with the median as its value
	least, most float64
}

// summaries returns the figures of a group in the order of its first run.
func (g *group) summaries() []summary {
	var all []summary
	for _, figure := range g.runs[0].Figures {
		values := g.values(figure.Name)
		figure.Value = median(values)
		all = append(all, summary{figure, slices.Min(values), slices.Max(values)})
	}
	return all
}

// median returns the figure's median over the runs of a group; ok is false if no
// run has it.
func (g *group) median(name string) (value float64, ok bool) {
	values := g.values(name)
	if len(values) == 0 {
		return 0, false
	}
	return median(values), true
}

func (g *group) values(name string) (values []float64) {
	for _, run := range g.runs {
		for _, figure := range run.Figures {
			if figure.Name == name {
				values = append(values, figure.Value)
				break
			}
		}
	}
	return values
}

// median of at least one value.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
