package bench

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrNothingInCommon is returned when two reports have no setup in common.
var ErrNothingInCommon = errors.New("the reports have no scenario with the same setup in common")

// Compare writes, as Markdown, the medians of both reports and the ratio of the
// second to the first, for each setup that they have in common.
func Compare(w io.Writer, first, second *Report) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "First: pipesocketd %s, %s\nSecond: pipesocketd %s, %s\n", first.Tool, first.Host, second.Tool, second.Host)
	others, common := second.groups(), false
	for _, g := range first.groups() {
		i := slices.IndexFunc(others, func(o group) bool { return o.scenario == g.scenario && o.setup == g.setup })
		if i < 0 {
			fmt.Fprintf(&b, "\n%s, %s: only in the first report.\n", g.scenario, g.setup)
			continue
		}
		common = true
		g.compare(&b, &others[i])
		others = slices.Delete(others, i, i+1)
	}
	for _, g := range others {
		fmt.Fprintf(&b, "\n%s, %s: only in the second report.\n", g.scenario, g.setup)
	}
	if !common {
		return ErrNothingInCommon
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (g *group) compare(b *bytes.Buffer, other *group) {
	fmt.Fprintf(b, "\n## %s\n\n%s; medians of %d and %d runs.\n\n", g.scenario, g.setup, len(g.runs), len(other.runs))
	b.WriteString("| figure | unit | first | second | second ÷ first | |\n|---|---|---:|---:|---:|---|\n")
	for _, s := range g.summaries() {
		value, ok := other.median(s.Name)
		if !ok {
			continue
		}
		ratio := "–"
		if s.Value != 0 {
			ratio = fmt.Sprintf("%.2f", value/s.Value)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", s.Name, s.Unit, round(s.Value), round(value), ratio, verdict(s.Figure, value))
	}
}

// telling is how far a ratio must be from one to be called a difference.
const telling = 0.02

func verdict(before Figure, after float64) string {
	change := after - before.Value
	if before.Better == "" || change == 0 || before.Value != 0 && max(change, -change) < telling*max(before.Value, -before.Value) {
		return ""
	}
	if (change < 0) == (before.Better == Lower) {
		return "better"
	}
	return "worse"
}
