package bench

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestCutAnswer(t *testing.T) {
	tests := []struct {
		name, wire string
		status     int
		text       string
		closes     bool
	}{
		{"with a length", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", 200, "{}", false},
		{"header names in another case", "HTTP/1.1 401 Unauthorized\r\ncontent-length:  3 \r\nconnection: close\r\n\r\nno\n", 401, "no\n", true},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\nA\r\n0123456789\r\n0\r\n\r\n", 200, "", false},
		{"without a body", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, n, err := cutAnswer([]byte(tt.wire))
			if err != nil || n != len(tt.wire) || a.status != tt.status || string(a.text) != tt.text || a.closes != tt.closes {
				t.Errorf("cut %d of %d: %+v, %v", n, len(tt.wire), a, err)
			}
			for part := range len(tt.wire) {
				if _, n, err := cutAnswer([]byte(tt.wire[:part])); n != 0 || err != nil {
					t.Fatalf("of %q cut %d, %v", tt.wire[:part], n, err)
				}
			}
		})
	}
}

func TestCutAnswerRefuses(t *testing.T) {
	for name, wire := range map[string]string{
		"another protocol":    "SSH-2.0\r\n\r\n",
		"another version":     "HTTP/1.0 200 OK\r\n\r\n",
		"an interim answer":   "HTTP/1.1 100 Continue\r\n\r\n",
		"no status":           "HTTP/1.1 2\r\n\r\n",
		"a negative length":   "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"a length beyond all": "HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
		"a bad chunk":         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"a chunk beyond all":  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffff\r\n",
		"an endless head":     "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxAnswerHead),
		"an endless body":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1\r\na\r\n", maxAnswerBody/6+1),
	} {
		if _, n, err := cutAnswer([]byte(wire)); n != 0 || err == nil {
			t.Errorf("%s: cut %d, %v", name, n, err)
		}
	}
}

// Whatever is cut off is what net/http reads too.
func FuzzCutAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 401 No\r\nConnection: close\r\nContent-Length: 3\r\n\r\nno\nmore"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, n, err := cutAnswer(b)
		if n < 0 || n > len(b) || err != nil && n != 0 {
			t.Fatalf("cut %d of %d bytes, %v", n, len(b), err)
		}
		if n == 0 {
			return
		}
		response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b[:n])), nil)
		if err != nil {
			return // stricter about names and values of headers
		}
		defer func() { _ = response.Body.Close() }()
		text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
		if response.StatusCode != a.status || err == nil && len(a.text) > 0 && len(text) > 0 && !bytes.Equal(text, a.text) {
			t.Fatalf("%d %q, where net/http reads %d %q", a.status, a.text, response.StatusCode, text)
		}
	})
}
