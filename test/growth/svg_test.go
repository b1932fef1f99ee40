package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Paths of what is checked in, seen from this folder.
const (
	checkedIn = "results.json"
	plots     = "../../docs/plots"
	document  = "../../docs/benchmarks.md"
)

func drawAll(t *testing.T, r *results) map[string]string {
	t.Helper()
	paths, err := draw(r, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(path)] = string(text)
	}
	return all
}

func TestTheSameResultsGiveTheSameBytes(t *testing.T) {
	first, second := drawAll(t, sample()), drawAll(t, sample())
	if len(first) != 2 {
		t.Fatalf("%d plots of 2 series", len(first))
	}
	for name, text := range first {
		if second[name] != text {
			t.Errorf("%s differs", name)
		}
	}
}

func TestPlotsAreThoseOfTheResults(t *testing.T) {
	r, err := readResults(checkedIn)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	drawn := drawAll(t, r)
	for _, c := range charts() {
		name := c.series + ".svg"
		got, err := os.ReadFile(filepath.Join(plots, name))
		if err != nil {
			t.Errorf("%v: run make growth", err)
			continue
		}
		if string(got) != drawn[name] {
			t.Errorf("%s is not what the results give: run go run ./test/growth -draw", name)
		}
		if !bytes.Contains(text, []byte("(plots/"+name+")")) {
			t.Errorf("docs/benchmarks.md does not show %s", name)
		}
	}
}

func TestPlotsAreXML(t *testing.T) {
	for name, text := range drawAll(t, sample()) {
		decoder := xml.NewDecoder(strings.NewReader(text))
		for {
			_, err := decoder.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
}

func TestPlotHoldsItsSeries(t *testing.T) {
	all := drawAll(t, sample())
	for name, wants := range map[string][]string{
		"payload.svg": {
			">16 B<", ">1 KB<", ">100 KB<", ">event data (logarithmic)<", ">server CPU, µs per delivery (logarithmic)<", ">MiB/s delivered (logarithmic)<",
			">CPU per delivery<", ">MiB/s (right axis)<", ">4.5<", ">33.7<", "prefers-color-scheme: dark",
		},
		"channels.svg": {">1,000,000<", ">server CPU, µs per event<", ">KiB of memory per channel<", ">150<", ">RSS per channel (right axis)<"},
	} {
		for _, want := range wants {
			if !strings.Contains(all[name], want) {
				t.Errorf("%s lacks %s", name, want)
			}
		}
	}
	// The point that failed is left out, and so is memory where it tells nothing.
	if n := strings.Count(all["payload.svg"], "<circle"); n != 2+1 {
		t.Errorf("payload.svg has %d circles, want those of 2 points and the legend's", n)
	}
	if n := strings.Count(all["channels.svg"], `<path class="mark b"`); n != 1+1 {
		t.Errorf("channels.svg has %d squares, want that of 1 point and the legend's", n)
	}
}

func TestPlotWithoutRightAxis(t *testing.T) {
	r := sample()
	for i := range r.Series[0].Points {
		delete(r.Series[0].Points[i].Lines[0].Figures, figureReceived)
	}
	text := drawAll(t, r)["payload.svg"]
	if strings.Contains(text, "right axis") || strings.Contains(text, "MiB/s") {
		t.Errorf("an axis without lines is drawn:\n%s", text)
	}
}

func TestValuesDoNotLieUponEachOther(t *testing.T) {
	all := []drawn{
		{values: []xy{{1, 5}, {2, 7}, {3, 4}}},
		{values: []xy{{1, 6}, {2, 6}, {3, 4}}},
	}
	for i, want := range [][]bool{{false, true, true}, {true, false, false}} {
		for j, v := range all[i].values {
			if got := highest(all, i, v); got != want[j] {
				t.Errorf("line %d at %d is the highest: %v, want %v", i, v.x, got, want[j])
			}
		}
	}
}
