package bench

import (
	"testing"
	"time"
)

func TestSettling(t *testing.T) {
	const mib = 1 << 20
	tests := []struct {
		name    string
		rss     []uint64 // a reading each second
		settled int      // reading at which three seconds have been steady, -1 for none
		since   int64    // in seconds
	}{
		{"steady from the beginning", []uint64{40 * mib, 40 * mib, 40 * mib, 40 * mib}, 3, 0},
		{"small movements", []uint64{40 * mib, 40*mib + 90<<10, 40*mib - 90<<10, 40 * mib}, 3, 0},
		{"small beside much", []uint64{4000 * mib, 4010 * mib, 4000 * mib, 4005 * mib}, 3, 0},
		{"after it was given back", []uint64{90 * mib, 90 * mib, 40 * mib, 40 * mib, 40 * mib, 40 * mib}, 5, 2},
		{"creeping", []uint64{40 * mib, 40*mib + 200<<10, 40*mib + 400<<10, 40*mib + 600<<10, 40*mib + 800<<10}, -1, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := settling{window: 3 * time.Second}
			settled := -1
			for i, rss := range tt.rss {
				if s.add(int64(i)*1e9, rss) {
					settled = i
					break
				}
			}
			if settled != tt.settled || s.since() != tt.since*1e9 {
				t.Errorf("settled at reading %d since %d s, want %d since %d s", settled, s.since()/1e9, tt.settled, tt.since)
			}
		})
	}
}
