package auth_test

import (
	"testing"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

func BenchmarkRequestVerify(b *testing.B) {
	verify := verifyTrigger(b)
	b.ReportAllocs()
	for b.Loop() {
		verify()
	}
}

// verifyTrigger returns a function that parses and verifies an ordinary signed
// trigger, in memory that it keeps from call to call.
func verifyTrigger(tb testing.TB) func() {
	tb.Helper()
	body := []byte(`{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}`)
	wire := auth.SignedQuery(pair, "POST", "/apps/3/events", nil, body, now)
	keys := auth.Keys{pair}
	query := new(auth.Query)
	return func() {
		query.Parse(wire)
		r := auth.Request{Method: "POST", Path: "/apps/3/events", Query: query, Body: body}
		if err := r.Verify(keys, now); err != nil {
			tb.Fatal(err)
		}
	}
}
