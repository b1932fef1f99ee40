//go:build !race

// The race detector makes pools forget at random, and with it the counts.

package auth_test

import (
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// Promises that the hot paths rely on. The secrets change with every signature,
// which is the worst case.
func TestAllocations(t *testing.T) {
	secrets := [...]auth.Secret{"7ad3773142a6692b25b8", auth.Secret(strings.Repeat("long", 30))}
	data := `{"user_id":"` + strings.Repeat("u", 1_000) + `"}`
	text := []byte(auth.ChannelText("1234.1234", "presence-foobar", &data))
	signature := secrets[0].Sign(text)
	for name, tt := range map[string]struct {
		want float64
		f    func(auth.Secret)
	}{
		"sign":                  {1, func(s auth.Secret) { s.Sign(text) }},
		"verify":                {0, func(s auth.Secret) { s.Verify(text, signature) }},
		"verify a wrong form":   {0, func(s auth.Secret) { s.Verify(text, "hunter2") }},
		"verify a subscription": {0, func(s auth.Secret) { s.VerifyChannel("1234.1234", "presence-foobar", &data, signature) }},
		"verify a sign-in":      {0, func(s auth.Secret) { s.VerifyUser("1234.1234", data, signature) }},
	} {
		turn := 0
		n := testing.AllocsPerRun(100, func() {
			turn++
			tt.f(secrets[turn%len(secrets)])
		})
		if n != tt.want {
			t.Errorf("%s: %v allocations, want %v", name, n, tt.want)
		}
	}
}
