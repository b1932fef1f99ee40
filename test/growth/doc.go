// Command growth measures how cost grows with work and draws it.
//
//	growth [-quick] [-only NAME,NAME…] [-runs N] [-server FILE]
//	growth -draw
//
// It builds pipesocketd, starts a server anew for every load, on free ports and
// with a configuration of its own, and lets `pipesocketd bench` load it, in a
// third process. What was measured goes to test/growth/results.json and, as one
// plot per series, to docs/plots. With -draw it only draws, from results that
// are there: the same results give the same bytes.
//
// plan.go says what is measured, charts.go what of it is shown. A full run takes
// about ten minutes, a quick one, with less of everything, less than two. Both
// need Linux, since the cost of a process is read from /proc.
package main
