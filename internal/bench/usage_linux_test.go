package bench

import (
	"os"
	"runtime"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const text = "42 (a) b (c) S 1 42 42 0 -1 4194560 7 0 0 0 150 25 0 0 20 0 9 0 3500 12345 600 18446744073709551615 1 1 0\n"
	u, err := parseStat([]byte(text))
	if err != nil || u.user != 1500*time.Millisecond || u.system != 250*time.Millisecond || u.rss != 600*uint64(os.Getpagesize()) {
		t.Errorf("%+v, %v", u, err)
	}
	for _, bad := range []string{"", "42 (a) S 1", text[:13] + "S x x x x x x x x x x y z 0 0 0 0 0 0 0 0 0 0"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestProcessUsage(t *testing.T) {
	u, err := processUsage(os.Getpid())
	if err != nil || u.rss < 1<<20 {
		t.Errorf("%+v, %v", u, err)
	}
}

func TestMachineCores(t *testing.T) {
	const text = "cpu  100 20 30 5000\ncpu0 1 1 1\ncpu1 1 1 1\ncpu12 1 1 1\nintr 5\ncpux 1\n"
	if got := coresOf([]byte(text)); got != 3 {
		t.Errorf("%d cores, want 3", got)
	}
	if got := machineCores(); got < runtime.NumCPU() {
		t.Errorf("this machine has %d cores, and %d for this process", got, runtime.NumCPU())
	}
}

func TestParseMachineStat(t *testing.T) {
	used, ok := parseMachineStat([]byte("cpu  100 20 30 5000 70 4 5 6 9 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"))
	if !ok || used != 1650*time.Millisecond {
		t.Errorf("used %v, %v", used, ok)
	}
	for _, bad := range []string{"", "cpu 1 2 3", "intr 1 2 3 4 5 6 7 8 9", "cpu 1 2 x 4 5 6 7 8 9"} {
		if _, ok := parseMachineStat([]byte(bad)); ok {
			t.Errorf("%q was read", bad)
		}
	}
	if used, ok := machineCPU(); !ok || used <= 0 {
		t.Errorf("this machine has used %v, %v", used, ok)
	}
}
