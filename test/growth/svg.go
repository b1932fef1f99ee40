package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
)

// Coordinates of a plot, in pixels.
const (
	width, height = 760, 430
	plotLeft      = 76
	plotRight     = width - 84
	plotTop       = 92
	plotBottom    = height - 62
	plotInset     = 36 // between the frame and the outer points
)

// style has colours for light and dark pages. A plot brings its own background,
// since the page's need not follow the same preference. Lines are told apart by
// marks and dashes too, and their colours by those who see fewer of them.
const style = `
svg { --back: #ffffff; --text: #1f2328; --faint: #59636e; --grid: #d8dee4; --a: #0a63c2; --b: #b45309; --c: #0f766e; --d: #9d174d }
@media (prefers-color-scheme: dark) {
svg { --back: #0d1117; --text: #e6edf3; --faint: #9198a1; --grid: #30363d; --a: #62a8ff; --b: #f0a04b; --c: #3fc9b0; --d: #f47fb4 }
}
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: var(--text) }
.title { font-size: 16px; font-weight: 600 }
.tick { fill: var(--faint) }
.value { font-size: 11px; stroke: var(--back); stroke-width: 3px; paint-order: stroke }
.back { fill: var(--back) }
.grid { stroke: var(--grid); stroke-width: 1 }
.line { fill: none; stroke-width: 2 }
.right { stroke-dasharray: 6 4 }
.a { stroke: var(--a) } .b { stroke: var(--b) } .c { stroke: var(--c) } .d { stroke: var(--d) }
.mark { fill: var(--back); stroke-width: 2 }
`

// drawn is a line with its values.
type drawn struct {
	line

	class  string // a, b, …
	right  bool
	values []xy
}

type xy struct {
	x int
	y float64
}

// canvas collects the text of an SVG file.
type canvas struct{ bytes.Buffer }

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // buffers do not fail
	return b.String()
}

// svg draws a series. Lines without a value are left out, and so is what would
// hang in the air without them.
func (c *chart) svg(s *seriesResult) []byte {
	var out canvas
	out.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`, width, height, width, height)
	out.add(`<title>%s</title>`, escape(c.title+": "+c.left.label+", by "+c.x))
	out.add(`<style>%s</style>`, style)
	out.add(`<rect class="back" width="%d" height="%d"/>`, width, height)
	out.add(`<text class="title" x="%d" y="26">%s</text>`, plotLeft, escape(c.title))
	left, right := c.drawn(s)
	x := c.xAxis(&out, s)
	leftScale := c.left.axis(&out, left, false)
	rightScale := c.right.axis(&out, right, true)
	legend(&out, append(slices.Clone(left), right...))
	for _, d := range right {
		d.draw(&out, x, rightScale)
	}
	for _, d := range left {
		d.draw(&out, x, leftScale)
	}
	values(&out, left, x, leftScale)
	out.add(`</svg>`)
	return out.Bytes()
}

// drawn returns the lines of both axes that have values.
func (c *chart) drawn(s *seriesResult) (left, right []drawn) {
	class := byte('a')
	collect := func(lines []line, onRight bool) (all []drawn) {
		for _, l := range lines {
			d := drawn{line: l, class: string(class), right: onRight}
			class++
			for i := range s.Points {
				p := &s.Points[i]
				if v, ok := p.value(l.load, l.figure); ok && p.X >= l.from {
					d.values = append(d.values, xy{p.X, v})
				}
			}
			if len(d.values) > 0 {
				all = append(all, d)
			}
		}
		return all
	}
	left = collect(c.left.lines, false)
	return left, collect(c.right.lines, true)
}

// xAxis draws the amounts of work, at which the points are.
func (c *chart) xAxis(out *canvas, s *seriesResult) scale {
	x := scale{log: true, least: 1, most: 1, from: plotLeft + plotInset, to: plotRight - plotInset}
	for i := range s.Points {
		v := float64(s.Points[i].X)
		if i == 0 {
			x.least, x.most = v, v
		}
		x.least, x.most = min(x.least, v), max(x.most, v)
	}
	for i := range s.Points {
		at := x.at(float64(s.Points[i].X))
		out.add(`<path class="grid" d="M%.1f %dV%d"/>`, at, plotTop, plotBottom)
		out.add(`<text class="tick" x="%.1f" y="%d" text-anchor="middle">%s</text>`, at, plotBottom+18, escape(c.amount(s.Points[i].X)))
	}
	out.add(`<text x="%d" y="%d" text-anchor="middle">%s</text>`, (plotLeft+plotRight)/2, plotBottom+42, escape(c.x+" (logarithmic)"))
	return x
}

// axis draws an axis for the lines and returns its scale.
func (a *axis) axis(out *canvas, lines []drawn, right bool) scale {
	var values []float64
	for _, d := range lines {
		for _, v := range d.values {
			values = append(values, v.y)
		}
	}
	if len(values) == 0 {
		return scale{}
	}
	log := a.log && slices.Min(values) > 0
	s, ticks := fitted(values, log, plotBottom, plotTop)
	at, anchor, turn := plotLeft-10, "end", 20
	if right {
		at, anchor, turn = plotRight+10, "start", width-14
	}
	for _, tick := range ticks {
		y := s.at(tick)
		if !right {
			out.add(`<path class="grid" d="M%d %.1fH%d"/>`, plotLeft, y, plotRight)
		}
		out.add(`<text class="tick" x="%d" y="%.1f" text-anchor="%s">%s</text>`, at, y+4, anchor, number(tick))
	}
	label := a.label
	if log {
		label += " (logarithmic)"
	}
	out.add(`<text transform="translate(%d %d) rotate(-90)" text-anchor="middle">%s</text>`, turn, (plotTop+plotBottom)/2, escape(label))
	return s
}

// legend names the lines in two columns below the title.
func legend(out *canvas, all []drawn) {
	for i, d := range all {
		x, y := plotLeft+i%2*310, 50+i/2*20
		d.path(out, fmt.Sprintf("M%d %dh28", x, y))
		d.mark(out, float64(x+14), float64(y))
		label := d.label
		if d.right {
			label += " (right axis)"
		}
		out.add(`<text x="%d" y="%d">%s</text>`, x+36, y+4, escape(label))
	}
}

func (d *drawn) draw(out *canvas, x, y scale) {
	var path bytes.Buffer
	for i, v := range d.values {
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], x.at(float64(v.x)), y.at(v.y))
	}
	d.path(out, path.String())
	for _, v := range d.values {
		d.mark(out, x.at(float64(v.x)), y.at(v.y))
	}
}

func (d *drawn) path(out *canvas, path string) {
	class := "line " + d.class
	if d.right {
		class += " right"
	}
	out.add(`<path class="%s" d="%s"/>`, class, path)
}

// mark draws a circle, square, triangle or diamond.
func (d *drawn) mark(out *canvas, x, y float64) {
	class := "mark " + d.class
	switch d.class {
	case "a":
		out.add(`<circle class="%s" cx="%.1f" cy="%.1f" r="4"/>`, class, x, y)
	case "b":
		out.add(`<path class="%s" d="M%.1f %.1fh8v8h-8z"/>`, class, x-4, y-4)
	case "c":
		out.add(`<path class="%s" d="M%.1f %.1fl5 9h-10z"/>`, class, x, y-5)
	default:
		out.add(`<path class="%s" d="M%.1f %.1fl5 5l-5 5l-5 -5z"/>`, class, x, y-5)
	}
}

// values writes the values at the points of all lines: above the highest at an
// amount, below the others.
func values(out *canvas, all []drawn, x, y scale) {
	for i, d := range all {
		for _, v := range d.values {
			shift := -10.0
			if !highest(all, i, v) {
				shift = 19
			}
			out.add(`<text class="value" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x.at(float64(v.x)), y.at(v.y)+shift, number(v.y))
		}
	}
}

// highest reports whether no line has a value above that of line i at its amount;
// of equals the first counts.
func highest(all []drawn, i int, v xy) bool {
	for j, other := range all {
		for _, w := range other.values {
			if w.x == v.x && (w.y > v.y || w.y == v.y && j < i) {
				return false
			}
		}
	}
	return true
}
