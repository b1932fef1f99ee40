package auth_test

import (
	"testing"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

func BenchmarkRequestVerify(b *testing.B) {
	body := []byte(`{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}`)
	query := auth.SignedQuery(pair, "POST", "/apps/3/events", nil, body, now)
	keys := auth.Keys{pair}
	b.ReportAllocs()
	for b.Loop() {
		r := auth.Request{Method: "POST", Path: "/apps/3/events", Query: auth.ParseQuery(query), Body: body}
		if err := r.Verify(keys, now); err != nil {
			b.Fatal(err)
		}
	}
}
