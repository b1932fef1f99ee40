package config

import (
	"strings"
	"testing"
)

func TestHeaderNames(t *testing.T) {
	for _, name := range []string{
		"Authorization", "authorization", "X-Receiver-Token", "User-Agent", "Cookie", "Forwarded", "x_y", "X-Pushers", "1", "a!#$%&'*+-.^_`|~",
		strings.Repeat("a", mostHeaderName),
	} {
		if wrong := checkHeaderName(name); wrong != "" {
			t.Errorf("%s %s", name, wrong)
		}
	}
	for _, name := range []string{
		"", " ", "A ", " A", "A:", "A: b", "A B", "A\r\nB", "A\x00", "Ä", ":path", "A/B", "(A)", strings.Repeat("a", mostHeaderName+1),
		"connection", "Keep-Alive", "proxy-connection", "Proxy-Authenticate", "Proxy-Authorization", "te", "TE", "Trailer", "transfer-encoding", "UPGRADE",
		"HTTP2-Settings", "Expect", "host", "Content-length", "content-TYPE", "Content-Encoding", "X-PUSHER-KEY", "x-pusher-signature", "X-Pusher-", "x-pipesocket-delivery",
	} {
		if checkHeaderName(name) == "" {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestHeaderValues(t *testing.T) {
	for _, value := range []string{"v", "Bearer a.b-c_d~e+f/g==", "a b", "~!@#$%^&*(){}[]\"'\\,;:<>?", strings.Repeat("a", mostHeaderValue)} {
		if wrong := checkHeaderValue(value); wrong != "" {
			t.Errorf("%s %s", value, wrong)
		}
	}
	for _, value := range []string{"", " ", "a ", " a", "a\n", "sesame\r\nX-Pusher-Key: a", "a\x00b", "a\x7f", "a\tb", "ü", "\xff", strings.Repeat("sesame", mostHeaderValue)} {
		switch wrong := checkHeaderValue(value); {
		case wrong == "":
			t.Errorf("%q is taken", value)
		case strings.Contains(wrong, "sesame"):
			t.Errorf("%q: the fault repeats it: %s", value, wrong)
		}
	}
}
