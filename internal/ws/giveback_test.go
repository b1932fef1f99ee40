package ws

import "testing"

func TestMemoryIsGivenBackWhenTheNumberHasSettled(t *testing.T) {
	steady := func(n int64) []int64 { return []int64{n, n, n, n, n, n, n, n, n, n} }
	for _, c := range []struct {
		name  string
		looks [][]int64
		want  int
	}{
		{"a server without connections never does", [][]int64{steady(0)}, 0},
		{"a few connections are not worth it", [][]int64{steady(400)}, 0},
		{"a wave that has settled is, once", [][]int64{{100, 2000, 5000}, steady(10_000), steady(10_000)}, 1},
		{"not while it moves", [][]int64{{1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 11_000}}, 0},
		{"a little unrest is settled", [][]int64{{10_000, 10_050, 9_980, 10_020, 9_990, 10_010, 10_000}}, 1},
		{"again when most have left", [][]int64{steady(10_000), steady(3_000)}, 2},
		{"not for a tenth more", [][]int64{steady(10_000), steady(11_000)}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s settling
			got := 0
			for _, looks := range c.looks {
				for _, n := range looks {
					if s.look(n) {
						got++
					}
				}
			}
			if got != c.want {
				t.Errorf("given back %d times, want %d", got, c.want)
			}
		})
	}
}
