package main

import (
	"math"
	"slices"
	"testing"
)

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.512: "0.512", 0.5: "0.5", 4.832: "4.83", 16: "16", 88.84: "88.8", 999.4: "999", 1000: "1,000",
		69_800: "69,800", 1_234_567: "1,234,567", -0.25: "-0.25", -1500: "-1,500", 0.001: "0.001",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
}

func TestBytesOf(t *testing.T) {
	for n, want := range map[int]string{16: "16 B", 1000: "1,000 B", 1024: "1 KB", 102_400: "100 KB", 1500: "1,500 B"} {
		if got := bytesOf(n); got != want {
			t.Errorf("%d bytes are written %q, want %q", n, got, want)
		}
	}
}

func TestSignificant(t *testing.T) {
	for v, want := range map[float64]float64{0: 0, 1.23456: 1.235, 987_654: 987_700, -0.000123456: -0.0001235} {
		if got := significant(v); got != want {
			t.Errorf("%v is rounded to %v, want %v", v, got, want)
		}
	}
}

func TestTicks(t *testing.T) {
	tests := []struct {
		name   string
		values []float64
		log    bool
		want   []float64
	}{
		{"from nothing", []float64{3, 26.5}, false, []float64{0, 5, 10, 15, 20, 25, 30}},
		{"small values", []float64{0.2, 0.197}, false, []float64{0, 0.05, 0.1, 0.15, 0.2}},
		{"all nothing", []float64{0, 0}, false, []float64{0, 1}},
		{"below nothing", []float64{-3, 9}, false, []float64{-4, -2, 0, 2, 4, 6, 8, 10}},
		{"one value", []float64{100_000}, false, []float64{0, 20_000, 40_000, 60_000, 80_000, 100_000}},
		{"logarithmic", []float64{4.5, 33.7}, true, []float64{2, 5, 10, 20, 50}},
		{"logarithmic, at ticks", []float64{5, 50}, true, []float64{5, 10, 20, 50}},
		{"logarithmic, below one", []float64{0.03, 0.3}, true, []float64{0.02, 0.05, 0.1, 0.2, 0.5}},
		{"logarithmic, one value", []float64{10}, true, []float64{10, 20}},
		{"logarithmic, far apart", []float64{3, 40_000}, true, []float64{1, 10, 100, 1000, 10_000, 100_000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ticks := fitted(tt.values, tt.log, 300, 100)
			near := slices.EqualFunc(ticks, tt.want, func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
			if !near {
				t.Errorf("ticks %v, want %v", ticks, tt.want)
			}
			for _, v := range tt.values {
				if y := s.at(v); y > 300+1e-6 || y < 100-1e-6 {
					t.Errorf("%v is drawn at %v, beyond the plot", v, y)
				}
			}
			if low, high := s.at(ticks[0]), s.at(ticks[len(ticks)-1]); math.Abs(low-300) > 1e-6 || math.Abs(high-100) > 1e-6 {
				t.Errorf("the ends are at %v and %v", low, high)
			}
		})
	}
}
