package httpapi_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// answerSink is a ResponseWriter that costs nothing.
type answerSink struct {
	header http.Header
	status int
}

func (s *answerSink) Header() http.Header         { return s.header }
func (s *answerSink) WriteHeader(status int)      { s.status = status }
func (s *answerSink) Write(p []byte) (int, error) { return len(p), nil }

// BenchmarkTrigger is a signed request from router to hub, without net/http's
// own reading and writing and without subscribers.
func BenchmarkTrigger(b *testing.B) {
	data := strings.Repeat(`{\"x\":1}`, 28) // 196 bytes of data
	item := `{"name":"e","channel":"bench","data":"` + data + `"}`
	for _, bm := range []struct{ name, path, body string }{
		{"events=1", events, `{"name":"e","channels":["bench"],"data":"` + data + `"}`},
		{"events=10", batchEvents, `{"batch":[` + strings.Repeat(item+",", 9) + item + `]}`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			f := newFixture(b)
			body := []byte(bm.body)
			reader := bytes.NewReader(body)
			r := httptest.NewRequest(http.MethodPost, bm.path+"?"+
				auth.SignedQuery(pair, "POST", bm.path, nil, body, time.Now()), nil)
			r.ContentLength = int64(len(body))
			r.Body = io.NopCloser(reader)
			w := &answerSink{header: http.Header{}}
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				reader.Reset(body)
				f.api.ServeHTTP(w, r)
			}
			if w.status != http.StatusOK {
				b.Fatalf("status %d", w.status)
			}
		})
	}
}
