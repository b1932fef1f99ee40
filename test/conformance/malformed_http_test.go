package conformance

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// httpCase is bytes on a fresh connection and the statuses that may answer
// them; 0 stands for hanging up without an answer.
type httpCase struct {
	name     string
	bytes    func(s *server) string
	statuses []int
}

func (c httpCase) check(t *testing.T, s *server) {
	w := wireOf(s.dialTCP(t))
	// The server may answer and hang up while it is still being written to; its
	// answer can then be lost with the connection.
	writeErr := w.tryPut([]byte(c.bytes(s)))
	status := w.status(t)
	if status == 0 && writeErr != nil {
		return
	}
	if !slices.Contains(c.statuses, status) {
		t.Errorf("got status %d, want one of %v", status, c.statuses)
	}
}

// status reads a response and returns its status, 0 if the server hung up.
func (w *wire) status(t testing.TB) int {
	t.Helper()
	w.deadline(t, 2*patience)
	response, err := http.ReadResponse(w.in, nil)
	if isTimeout(err) {
		t.Fatal("neither an answer nor a hang-up")
	}
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return response.StatusCode
}

func httpCases() []httpCase {
	raw := func(text string) func(*server) string { return func(*server) string { return text } }
	bad := []int{400, 0}
	cases := []httpCase{
		{"line noise", raw("\x00\x01\x02\xff\xfe garbage\r\n\r\n"), bad},
		{"a TLS hello on a plain port", raw("\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + strings.Repeat("r", 160) + "\r\n\r\n"), bad},
		{"an HTTP/0.9 request", raw("GET /\r\n\r\n"), bad},
		{"an HTTP/2 preface", raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), []int{400, 404, 405, 505, 0}},
		{"an unknown HTTP version", raw("GET / HTTP/7.3\r\nHost: x\r\n\r\n"), []int{400, 505, 0}},
		{"no Host", raw("GET /app/plain-key HTTP/1.1\r\n\r\n"), bad},
		{"two Hosts", raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), bad},
		{"a header without colon", raw("GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n"), bad},
		{"a NUL in a header", raw("GET / HTTP/1.1\r\nHost: x\r\nX-A: a\x00b\r\n\r\n"), bad},
		{"a space before the colon", raw("GET / HTTP/1.1\r\nHost: x\r\nX-A : b\r\n\r\n"), bad},
		{"a broken escape in the path", raw("GET /app/%zz HTTP/1.1\r\nHost: x\r\n\r\n"), bad},
		{"a negative Content-Length", raw("POST /apps/1001/events HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), bad},
		{"two Content-Lengths", raw("POST /apps/1001/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), bad},
		{"an unknown transfer encoding", raw("POST /apps/1001/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"), []int{400, 501, 0}},
		{"broken chunks", raw("POST /apps/1001/events HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"), []int{400, 401, 0}},
		{"an unknown method", raw("BREW /apps/1001/events HTTP/1.1\r\nHost: x\r\n\r\n"), []int{400, 404, 405}},
		{"a request target of 100 kB", raw("GET /" + strings.Repeat("x", 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n"), []int{400, 414, 431, 0}},
		{"one header of 1 MB", raw("GET / HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"), []int{431, 0}},
		{"ten thousand headers", raw("GET / HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X-A: b\r\n", 10_000) + "\r\n"), []int{431, 0}},
		{"a query of two thousand parameters", raw("GET /app/plain-key?" + strings.Repeat("a=b&", 2_500) + " HTTP/1.1\r\nHost: x\r\n\r\n"), []int{400, 426, 431}},
	}
	return append(cases, upgradeCases()...)
}

// upgradeCases are upgrades that are wrong in one line.
func upgradeCases() []httpCase {
	altered := func(old, replacement string) func(*server) string {
		return func(s *server) string {
			return strings.Replace(upgradeRequest(s, "/app/"+plain.key+"?"+defaultQuery), old, replacement, 1)
		}
	}
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	refused := []int{400, 426}
	return []httpCase{
		{"an upgrade without key", altered(key, ""), refused},
		{"an upgrade with an empty key", altered(key, "Sec-WebSocket-Key:\r\n"), refused},
		{"an upgrade with a short key", altered(key, "Sec-WebSocket-Key: dGhl\r\n"), refused},
		{"an upgrade with a key that is not base64", altered(key, "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==\r\n"), refused},
		{"an upgrade with two keys", altered(key, key+key), refused},
		{"an upgrade without version", altered("Sec-WebSocket-Version: 13\r\n", ""), refused},
		{"an upgrade of version 8", altered("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"), refused},
		{"an upgrade of version x", altered("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: x"), refused},
		{"an upgrade to h2c", altered("Upgrade: websocket", "Upgrade: h2c"), refused},
		{"an upgrade without Connection", altered("Connection: Upgrade\r\n", ""), refused},
		{"an upgrade with Connection: close", altered("Connection: Upgrade", "Connection: close"), refused},
		{"an upgrade by POST", altered("GET /app", "POST /app"), []int{400, 405, 426}},
		{"an upgrade by HTTP/1.0", altered("HTTP/1.1", "HTTP/1.0"), []int{400, 426, 505}},
		{"an upgrade on the API", altered("/app/"+plain.key, "/apps/1001/events"), []int{400, 401, 404, 405, 101}},
		{"an upgrade with a NUL in the key of the app", altered("/app/"+plain.key, "/app/a%00b"), []int{101, 400}},
	}
}
