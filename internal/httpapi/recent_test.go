package httpapi

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// A name is what the JSON says, in memory of its own, however many came before.
func TestRecentNames(t *testing.T) {
	r := newRecentNames()
	check := func(text string) {
		v := strictjson.Value(strictjson.AppendString(nil, text))
		got, ok := r.text(v)
		for i := range v { // the buffer of the next request
			v[i] = 'x'
		}
		if got != text || !ok {
			t.Errorf("got %q, %v, want %q", got, ok, text)
		}
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 2 {
				for i := range 3 * recentSlots {
					check(fmt.Sprint("name-", i))
				}
			}
			for _, text := range []string{"", "\"quoted\" \n", "наме", strings.Repeat("x", recentBytes), strings.Repeat("x", recentBytes+1)} {
				check(text)
				check(text)
			}
		})
	}
	all.Wait()
	if _, ok := r.text(strictjson.Value("1")); ok {
		t.Error("a number is taken for a name")
	}
}
