//go:build noembedded

package embedded

import (
	"strings"
	"testing"
)

func TestWithout(t *testing.T) {
	_, err := New(Options{Listen: "127.0.0.1:6222", Prefix: "p"})
	if Available || err == nil || !strings.Contains(err.Error(), "noembedded") {
		t.Errorf("Available is %v and New returned %v", Available, err)
	}
}
