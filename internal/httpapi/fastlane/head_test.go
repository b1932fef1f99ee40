package fastlane

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestReadHead(t *testing.T) {
	const host = "Host: api.example.com:8080\r\n"
	request := func(lines string) string { return "POST /a?b=c HTTP/1.1\r\n" + lines + "\r\n" }
	for name, tt := range map[string]struct {
		text string
		want verdict
	}{
		"a plain request":                    {request(host + "Content-Length: 5\r\n"), served},
		"names in any case":                  {request("hOST: x\r\nCONTENT-length:5\r\n"), served},
		"an address":                         {request("Host: [::1]:80\r\nContent-Length: 0\r\n"), served},
		"what client libraries send":         {request(host + "User-Agent: a/1 (b; c)\r\nAccept: */*\r\nContent-Type: application/json\r\nX-Pusher-Library: x 1\r\nContent-Length: 5\r\nConnection: Keep-Alive\r\n"), served},
		"the last request of a client":       {request(host + "Content-Length: 5\r\nConnection: close\r\n"), served},
		"nothing yet":                        {"", partial},
		"a part of the method":               {"POS", partial},
		"a part of the request line":         {"POST /a?b=c HTT", partial},
		"a part of a line end":               {"POST /a HTTP/1.1\r", partial},
		"no empty line yet":                  {"POST /a HTTP/1.1\r\n" + host + "Content-Length: 5\r\n", partial},
		"another method":                     {"GET /a HTTP/1.1\r\n" + host + "\r\n", foreign},
		"the first byte of another method":   {"G", foreign},
		"a method in lower case":             {"post /a HTTP/1.1\r\n", foreign},
		"the preface of HTTP/2":              {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", foreign},
		"a TLS handshake":                    {"\x16\x03\x01", foreign},
		"HTTP/1.0":                           {"POST /a HTTP/1.0\r\n" + host + "Content-Length: 5\r\n\r\n", foreign},
		"no version":                         {"POST /a\r\n", foreign},
		"a whole URL":                        {"POST http://x/a HTTP/1.1\r\n", foreign},
		"a space in the path":                {"POST /a b HTTP/1.1\r\n", foreign},
		"a control character in the path":    {"POST /a\x01 HTTP/1.1\r\n", foreign},
		"lines that end in a newline alone":  {"POST /a HTTP/1.1\nHost: x\n\n", foreign},
		"an empty line that ends so":         {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\n", foreign},
		"no host":                            {request("Content-Length: 5\r\n"), foreign},
		"an empty host":                      {request("Host:\r\nContent-Length: 5\r\n"), foreign},
		"two hosts":                          {request("Host: x\r\nHost: x\r\nContent-Length: 5\r\n"), foreign},
		"a host that is none":                {request("Host: x/y\r\nContent-Length: 5\r\n"), foreign},
		"no length":                          {request(host), foreign},
		"two lengths":                        {request(host + "Content-Length: 5\r\nContent-Length: 5\r\n"), foreign},
		"a length in a list":                 {request(host + "Content-Length: 5, 5\r\n"), foreign},
		"a length with a sign":               {request(host + "Content-Length: +5\r\n"), foreign},
		"an empty length":                    {request(host + "Content-Length:\r\n"), foreign},
		"a length beyond counting":           {request(host + "Content-Length: 99999999999999999999\r\n"), foreign},
		"a body in chunks":                   {request(host + "Transfer-Encoding: chunked\r\n"), foreign},
		"a body in chunks with a length":     {request(host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), foreign},
		"a body that waits for leave":        {request(host + "Content-Length: 5\r\nExpect: 100-continue\r\n"), foreign},
		"an upgrade":                         {request(host + "Content-Length: 5\r\nUpgrade: websocket\r\n"), foreign},
		"a connection that will be another":  {request(host + "Content-Length: 5\r\nConnection: Upgrade\r\n"), foreign},
		"trailers":                           {request(host + "Content-Length: 5\r\nTrailer: X\r\n"), foreign},
		"a folded line":                      {request(host + "X: a\r\n b\r\nContent-Length: 5\r\n"), foreign},
		"a space before the colon":           {request(host + "Content-Length : 5\r\n"), foreign},
		"a line without a colon":             {request(host + "Content-Length\r\n"), foreign},
		"a name that is no token":            {request(host + "A(b): c\r\nContent-Length: 5\r\n"), foreign},
		"a control character in a value":     {request(host + "X: a\x00b\r\nContent-Length: 5\r\n"), foreign},
		"a carriage return inside a value":   {request(host + "X: a\rContent-Length: 6\r\nContent-Length: 5\r\n"), foreign},
		"an empty line before the request":   {"\r\n" + request(host+"Content-Length: 5\r\n"), foreign},
		"a colon without a name":             {request(host + ": x\r\nContent-Length: 5\r\n"), foreign},
		"a byte beyond ASCII in the value":   {request(host + "X: \xe9\r\nContent-Length: 5\r\n"), served},
		"tabs around a value":                {request(host + "Content-Length:\t5\t\r\n"), served},
		"a question mark within the query":   {"POST /a?b?c HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\n", served},
		"a path that is to be decoded later": {"POST /a%2Fb HTTP/1.1\r\n" + host + "Content-Length: 5\r\n\r\n", served},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := readHead([]byte(tt.text)); got != tt.want {
				t.Errorf("%q: verdict %d, want %d", tt.text, got, tt.want)
			}
		})
	}
}

func TestReadHeadTellsWhatItRead(t *testing.T) {
	text := "POST /apps/1/events?a=b&c=%20d HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\nConnection: CLOSE\r\n\r\n"
	got, v := readHead([]byte(text + "hello, world and more"))
	want := head{path: "/apps/1/events", query: "a=b&c=%20d", size: len(text), length: 12, closes: true}
	if v != served || got != want {
		t.Errorf("%+v (%d), want %+v", got, v, want)
	}
}

// A head is the same, however much of it arrives at once: nothing that is partial
// turns out to be foreign for want of the rest, or the other way round.
func TestReadHeadInParts(t *testing.T) {
	text := "POST /apps/1/events?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n"
	for n := range len(text) {
		if _, v := readHead([]byte(text[:n])); v != partial {
			t.Fatalf("%q: verdict %d", text[:n], v)
		}
	}
}

// FuzzReadHead holds what is served here against net/http's reading of the same
// bytes: they must agree on everything, above all on where the request ends.
func FuzzReadHead(f *testing.F) {
	f.Add("POST /apps/1/events?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
	f.Add("POST /a?b HTTP/1.1\r\nHost: [::1]:80\r\ncontent-length:\t0\r\nX-A: \xff\r\nConnection: keep-alive\r\n\r\nPOST /")
	f.Add("POST //a?? HTTP/1.1\r\nHost: a_b\r\nContent-Length: 007\r\nKeep-Alive: 5\r\n\r\n1234567")
	f.Fuzz(func(t *testing.T, text string) {
		h, v := readHead([]byte(text))
		if v != served {
			return
		}
		reader := bufio.NewReader(strings.NewReader(text))
		r, err := http.ReadRequest(reader)
		if err != nil {
			if !strings.Contains(err.Error(), "invalid URL escape") { // of a path, which then is no trigger's
				t.Fatalf("%q is refused by net/http: %v", text, err)
			}
			return
		}
		read := len(text) - reader.Buffered()
		path, query, _ := strings.Cut(r.RequestURI, "?")
		got := head{path: path, query: query, size: read, length: int(r.ContentLength), closes: r.Close}
		if got != h || query != r.URL.RawQuery || len(r.TransferEncoding) > 0 || r.ProtoMinor != 1 || r.Host == "" {
			t.Fatalf("%q\n read as %+v\nnet/http: %+v", text, h, got)
		}
		if r.Header.Get("Expect")+r.Header.Get("Upgrade")+r.Header.Get("Trailer") != "" || r.Trailer != nil {
			t.Fatalf("%q has more to it", text)
		}
	})
}

func BenchmarkReadHead(b *testing.B) {
	text := []byte("POST /apps/1/events?auth_key=k&auth_timestamp=1700000000&auth_version=1.0&body_md5=" +
		strings.Repeat("0", 32) + "&auth_signature=" + strings.Repeat("0", 64) + " HTTP/1.1\r\n" +
		"Host: 127.0.0.1:6001\r\nUser-Agent: backend/1.0\r\nContent-Type: application/json\r\n" +
		"Accept-Encoding: gzip\r\nContent-Length: 300\r\n\r\n")
	text = append(text, bytes.Repeat([]byte("x"), 300)...)
	b.ReportAllocs()
	for b.Loop() {
		if _, v := readHead(text); v != served {
			b.Fatal(v)
		}
	}
}
