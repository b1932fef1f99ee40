package bench

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// WriteMarkdown writes the report as Markdown: a table of medians for each
// setup, what became of everything sent, and warnings.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Machine: %s\nTool: pipesocketd %s\n", r.Host, r.Tool)
	all := r.groups()
	for i := range all {
		all[i].writeTable(&b)
		all[i].writeFloors(&b, all)
		all[i].writeAccounting(&b)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// String tells a machine in one line.
func (h Host) String() string {
	text := fmt.Sprintf("%d cores", h.Cores)
	if h.CPU != "" {
		text += " (" + h.CPU + ")"
	}
	text += ", " + h.System
	if h.Kernel != "" {
		text += " " + h.Kernel
	}
	return text + ", " + h.Go
}

func (g *group) writeTable(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n## %s\n\n%s; ", g.scenario, g.setup)
	if len(g.runs) == 1 {
		b.WriteString("1 run.\n\n| figure | unit | value |\n|---|---|---:|\n")
		for _, s := range g.summaries() {
			fmt.Fprintf(b, "| %s | %s | %s |\n", s.Name, s.Unit, round(s.Value))
		}
		return
	}
	fmt.Fprintf(b, "%d runs.\n\n| figure | unit | median | least | most |\n|---|---|---:|---:|---:|\n", len(g.runs))
	for _, s := range g.summaries() {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", s.Name, s.Unit, round(s.Value), round(s.least), round(s.most))
	}
}

// writeFloors tells how far the group is from each floor of the report.
func (g *group) writeFloors(b *bytes.Buffer, all []group) {
	cost, ok := g.median(figureCost)
	if !ok || g.scenario == limitScenario.Name {
		return
	}
	first := true
	for _, floor := range all {
		least, ok := floor.median(figureCost)
		if floor.scenario != limitScenario.Name || !ok || least == 0 {
			continue
		}
		if first {
			b.WriteString("\nServer CPU per delivery beside bare writes:\n\n")
			first = false
		}
		fmt.Fprintf(b, "- %s × %s (%s)\n", round(cost/least), round(least), floor.setup)
	}
}

func (g *group) writeAccounting(b *bytes.Buffer) {
	var sum Accounting
	var warnings []string
	for _, run := range g.runs {
		a := run.Accounting
		sum.Sent += a.Sent
		sum.Expected += a.Expected
		sum.Delivered += a.Delivered
		sum.Lost += a.Lost
		sum.Duplicated += a.Duplicated
		sum.Foreign += a.Foreign
		sum.Failed += a.Failed
		sum.Unsent += a.Unsent
		sum.Refused += a.Refused
		sum.Closed += a.Closed
		if sum.Failure == "" {
			sum.Failure = a.Failure
		}
		for _, warning := range run.Warnings {
			if !slices.Contains(warnings, warning) {
				warnings = append(warnings, warning)
			}
		}
	}
	if sum.Sent > 0 {
		fmt.Fprintf(b, "\nAccounting, warm-up included: %d sent, %d deliveries expected, %d delivered, %d lost, %d duplicated.\n",
			sum.Sent, sum.Expected, sum.Delivered, sum.Lost, sum.Duplicated)
	}
	if sum.Foreign+sum.Failed+sum.Unsent+sum.Refused+sum.Closed > 0 {
		fmt.Fprintf(b, "Also: %d unknown deliveries, %d failed requests, %d not sent in time, %d refusals, %d connections lost",
			sum.Foreign, sum.Failed, sum.Unsent, sum.Refused, sum.Closed)
		if sum.Failure != "" {
			fmt.Fprintf(b, "; the first: %s", sum.Failure)
		}
		b.WriteString(".\n")
	}
	for _, warning := range warnings {
		fmt.Fprintf(b, "\n**Warning:** %s.\n", warning)
	}
}

// round writes a value with three digits that count, or all that stand before
// the point.
func round(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	decimals := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', max(decimals, 0), 64)
}
