package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// markdown writes a table for deliveries and one for joins.
func (r *results) markdown() string {
	var deliveries, joins strings.Builder
	for _, load := range r.loads() {
		for _, s := range systems {
			runs := r.of(load, s.name)
			switch {
			case len(runs) == 0:
			case runs[0].Presence:
				joins.WriteString(r.joinRow(runs, load))
			default:
				deliveries.WriteString(r.deliveryRow(runs, load))
			}
		}
	}
	text := "Machine: " + r.Host + "\n"
	if deliveries.Len() > 0 {
		text += "\n| Load | System | runs | deliveries/s | of them between nodes/s | p50, p99 ms | p50 within a node, between nodes ms" +
			" | CPU-s per million deliveries: nodes | engine | nodes × single | nodes and engine × single |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n" + deliveries.String()
	}
	if joins.Len() > 0 {
		text += "\n| Load | System | runs | joins/s | join p50, p99 ms | told p50, p99 ms | CPU ms per join and leave: nodes | engine" +
			" | KiB per member, all nodes | nodes that disagree |\n|---|---|---:|---:|---:|---:|---:|---:|---:|---:|\n" + joins.String()
	}
	return text
}

func (r *results) deliveryRow(runs []*result, load string) string {
	cells := []string{
		runs[0].What, runs[0].System, countOf(runs),
		cell(runs, "deliveries per second"), cell(runs, "deliveries between servers per second"),
		cell(runs, "latency p50") + ", " + cell(runs, "latency p99"),
		cell(runs, "latency within a server p50") + ", " + cell(runs, "latency between servers p50"),
		spread(values(runs, costOfNodes)), cell(runs, costOfEngine),
		spread(r.ratios(runs, load, costOfNodes)), spread(r.ratios(runs, load, costOfAll)),
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func (r *results) joinRow(runs []*result, _ string) string {
	cells := []string{
		runs[0].What, runs[0].System, countOf(runs), cell(runs, "joins per second"),
		cell(runs, "join p50") + ", " + cell(runs, "join p99"),
		cell(runs, "member_added p50") + ", " + cell(runs, "member_added p99"),
		spread(values(runs, costOfNodes)), cell(runs, costOfEngine),
		cell(runs, "server RSS per member, besides its connection"),
		digits(slices.Max(append(values(runs, "servers that see other members"), 0))),
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

// countOf tells how many runs there are, and in how many not everything arrived
// exactly once and in time.
func countOf(runs []*result) string {
	unclean := 0
	for _, run := range runs {
		if run.Unclean {
			unclean++
		}
	}
	if unclean == 0 {
		return strconv.Itoa(len(runs))
	}
	return fmt.Sprintf("%d, %d not clean", len(runs), unclean)
}

// ratios are those to the single node of the same turn.
func (r *results) ratios(runs []*result, load, figure string) (all []float64) {
	base := r.of(load, single)
	for i, run := range runs {
		if run.System == single || i >= len(base) || base[i].Figures[figure] == 0 {
			continue
		}
		all = append(all, run.Figures[figure]/base[i].Figures[figure])
	}
	return all
}

func values(runs []*result, figure string) (all []float64) {
	for _, run := range runs {
		if v, ok := run.Figures[figure]; ok {
			all = append(all, v)
		}
	}
	return all
}

// cell is a median.
func cell(runs []*result, figure string) string {
	all := values(runs, figure)
	if len(all) == 0 {
		return "–"
	}
	return digits(median(all))
}

// spread is a median with the least and the greatest value.
func spread(all []float64) string {
	switch len(all) {
	case 0:
		return "–"
	case 1:
		return digits(all[0])
	}
	return fmt.Sprintf("%s (%s to %s)", digits(median(all)), digits(slices.Min(all)), digits(slices.Max(all)))
}

// median of at least one value.
func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// digits writes three that count, or all before the point.
func digits(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	decimals := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', max(decimals, 0), 64)
}
