package main

import (
	"math"
	"strconv"
	"strings"
)

// significant rounds to four digits: a measurement has no more.
func significant(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 4, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}

// niceStep is the least of 1, 2 and 5 times a power of ten that divides most
// into at most count steps.
func niceStep(most float64, count int) float64 {
	least := most / float64(count)
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= least*(1-1e-9) {
			return factor * power
		}
	}
	return 10 * power
}

// number writes a value of an axis or at a point with up to three digits that
// count, and commas between thousands.
func number(v float64) string {
	if v != 0 && math.Abs(v) < 1000 {
		decimals := max(2-int(math.Floor(math.Log10(math.Abs(v)))), 0)
		text := strconv.FormatFloat(v, 'f', decimals, 64)
		if strings.Contains(text, ".") {
			text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
		return text
	}
	return grouped(int(math.Round(v)))
}

// grouped writes a count with commas between thousands.
func grouped(n int) string {
	if n < 0 {
		return "-" + grouped(-n)
	}
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// bytesOf writes a size in bytes with the greatest unit that leaves it whole.
func bytesOf(n int) string {
	if n >= 1024 && n%1024 == 0 {
		return grouped(n/1024) + " KB"
	}
	return grouped(n) + " B"
}
