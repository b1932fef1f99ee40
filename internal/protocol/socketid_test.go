package protocol_test

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// P-034: the form of socket ids, and 100,000 different ones in a row.
func TestNewSocketID(t *testing.T) {
	form := regexp.MustCompile(`^[1-9][0-9]{0,9}\.[1-9][0-9]{0,9}$`) // no leading zeros, 1 … 9,999,999,999
	const count = 100_000
	seen := make(map[protocol.SocketID]bool, count)
	halves := make(map[string]bool, 2*count)
	for range count {
		id := protocol.NewSocketID()
		if !form.MatchString(string(id)) {
			t.Fatalf("socket id %q has another form", id)
		}
		if seen[id] {
			t.Fatalf("socket id %q came twice", id)
		}
		seen[id] = true
		left, right, _ := strings.Cut(string(id), ".")
		halves[left], halves[right] = true, true
	}
	// 200,000 draws of 10^10 values meet twice on average; that they hardly do
	// shows that each half uses its whole range.
	if twins := 2*count - len(halves); twins > 30 {
		t.Errorf("%d of %d halves came twice: they are not uniform", twins, 2*count)
	}
}

// Both halves are uniform over their whole range: with 100,000 draws each tenth
// of it holds 10,000, and a count more than 6 standard deviations (95) away
// is as good as impossible.
func TestSocketIDHalvesAreUniform(t *testing.T) {
	const count, parts = 100_000, 10
	var tenths [2][parts]int
	for range count {
		left, right, _ := strings.Cut(string(protocol.NewSocketID()), ".")
		for half, digits := range []string{left, right} {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n < 1 || n > 9_999_999_999 {
				t.Fatalf("half %q: %v", digits, err)
			}
			tenths[half][n/1_000_000_000]++
		}
	}
	for half := range tenths {
		for tenth, n := range tenths[half] {
			if n < count/parts-570 || n > count/parts+570 {
				t.Errorf("half %d, tenth %d holds %d of %d draws", half, tenth, n, count)
			}
		}
	}
	// So the entropy is that of two uniform draws, which §2.2 wants to be 60 bits.
	if bits := 2 * math.Log2(9_999_999_999); bits < 60 {
		t.Errorf("%v bits", bits)
	}
}

func TestValidSocketID(t *testing.T) {
	form := regexp.MustCompile(`\A[0-9]+\.[0-9]+\z`) // §2.2
	for _, id := range []string{
		"1.1", "208836.27464492", "0.0", "007.1", "9999999999.9999999999", string(protocol.NewSocketID()),
		"", ".", "1", "1.", ".1", "1.1.1", "1..1", "-1.1", "1.+1", " 1.1", "1.1 ", "1.1\n", "a.1", "1.a",
		"1,1", "1e3.1", "１.１", "\xff.1", "1:1", "1.1:private-x",
	} {
		if got, want := protocol.ValidSocketID(id), form.MatchString(id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}

func BenchmarkNewSocketID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		protocol.NewSocketID()
	}
}
