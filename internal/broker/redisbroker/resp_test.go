package redisbroker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
)

func TestValues(t *testing.T) {
	const stream = ">3\r\n$7\r\nmessage\r\n$1\r\nn\r\n$4\r\nbody\r\n" +
		"+PONG\r\n" +
		">3\r\n$8\r\nsmessage\r\n$1\r\nn\r\n$0\r\n\r\n" +
		">3\r\n$9\r\nsubscribe\r\n$1\r\nn\r\n:1\r\n" +
		">2\r\n$10\r\ninvalidate\r\n_\r\n" +
		"%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n$-1\r\n*-1\r\n" +
		"_\r\n-ERR no\r\n#t\r\n,1.5\r\n(123\r\n~0\r\n=6\r\ntxt:ab\r\n!3\r\nbad\r\n"
	for name, from := range map[string]io.Reader{
		"at once":      strings.NewReader(stream),
		"byte by byte": iotest.OneByteReader(strings.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			r := newRespReader(from, 0)
			for i, want := range []string{"body", "+PONG", "", "subscribed", "other push", "%a 1 b *", "_", "-ERR no", "#t", ",1.5", "(123", "~", "=txt:ab", "!bad"} {
				p, v, err := r.next()
				if err != nil {
					t.Fatalf("value %d: %v", i, err)
				}
				if got := show(p, v); got != want {
					t.Errorf("value %d is %q, want %q", i, got, want)
				}
			}
			if _, _, err := r.next(); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func show(p push, v value) string {
	switch p.kind {
	case noPush:
	case messagePush:
		return string(p.message)
	case subscribed:
		return "subscribed"
	default:
		return "other push"
	}
	var parts []string
	for _, e := range v.elements {
		if e.text == "" {
			e.text = string(e.kind)
		}
		parts = append(parts, e.text)
	}
	return string(v.kind) + v.text + strings.Join(parts, " ")
}

func TestRefusedValues(t *testing.T) {
	for name, stream := range map[string]string{
		"unknown kind":     "x1\r\n",
		"attribute":        "|1\r\n+a\r\n+b\r\n+c\r\n",
		"streamed string":  "$?\r\n;1\r\na\r\n;0\r\n",
		"no carriage":      "+OK\n\n",
		"empty line":       "\r\n\r\n",
		"long string":      "$1048577\r\n",
		"negative":         "$-2\r\n",
		"no length":        "*\r\n",
		"overflow":         "$99999999999999999999999999\r\n",
		"wrong end":        "$1\r\nab\r\n",
		"long line":        "+" + strings.Repeat("x", maxLine) + "\r\n",
		"deep":             strings.Repeat("*1\r\n", maxDepth+1),
		"many elements":    "*65537\r\n",
		"many in all":      "*2\r\n*40000\r\n" + strings.Repeat("_\r\n", 40_000) + "*40000\r\n" + strings.Repeat("_\r\n", 40_000),
		"long message":     ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$67108865\r\n",
		"message no name":  ">3\r\n$7\r\nmessage\r\n+a\r\n$1\r\na\r\n",
		"empty push":       ">0\r\n",
		"short message":    ">2\r\n$7\r\nmessage\r\n$1\r\na\r\n",
		"message of a map": ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n%1\r\n+a\r\n+b\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRespReader(strings.NewReader(stream), 0)
			if p, v, err := r.next(); !errors.Is(err, errProtocol) {
				t.Errorf("got %q, %v", show(p, v), err)
			}
		})
	}
}

// What a server sends unasked stays unread once the link has ended: rueidis would
// panic about it.
func TestNothingIsReadAfterTheEnd(t *testing.T) {
	ended := make(chan struct{})
	c := newCheckedConn(stringConn{Reader: strings.NewReader("+one\r\n+two\r\n")}, ended)
	to := make([]byte, 64)
	if n, err := c.Read(to); string(to[:n]) != "+one\r\n" || err != nil {
		t.Fatalf("read %q, %v, want one value", to[:n], err)
	}
	close(ended)
	if n, err := c.Read(to); !errors.Is(err, net.ErrClosed) {
		t.Errorf("read %q, %v after the end", to[:n], err)
	}
}

// FuzzValues reads whatever a server may send, and checks that the bytes of what
// was understood are handed to rueidis unchanged.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{
		"+OK\r\n:1\r\n", "$3\r\nabc\r\n", ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n", "*2\r\n%1\r\n+a\r\n_\r\n~0\r\n",
		">3\r\n$10\r\nssubscribe\r\n$1\r\na\r\n:1\r\n", "$-1\r\n*-1\r\n", "-MOVED 1 127.0.0.1:2\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		r := newRespReader(bytes.NewReader(stream), 0)
		for {
			if _, _, err := r.next(); err != nil {
				break
			}
		}
		checked := newCheckedConn(stringConn{Reader: bytes.NewReader(stream)}, nil)
		passed, _ := io.ReadAll(checked)
		if !bytes.HasPrefix(stream, passed) {
			t.Errorf("passed on %q of %q", passed, stream)
		}
	})
}

// FuzzSlots reads the topology of a cluster.
func FuzzSlots(f *testing.F) {
	f.Add([]byte("*1\r\n*3\r\n:0\r\n:16383\r\n*3\r\n$9\r\n127.0.0.1\r\n:6379\r\n$2\r\nid\r\n"))
	f.Add([]byte("*2\r\n*3\r\n:0\r\n:1\r\n*2\r\n_\r\n:6379\r\n*3\r\n:2\r\n:16383\r\n*2\r\n$1\r\n?\r\n:1\r\n"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		r := newRespReader(bytes.NewReader(answer), 0)
		v, err := r.any()
		if err != nil {
			return
		}
		ranges, err := mastersOf(v, "127.0.0.1:1")
		if err != nil {
			return
		}
		for slot := range slots {
			addr, err := masterOf(ranges, slot)
			if err != nil {
				return
			}
			if _, _, err := net.SplitHostPort(addr); err != nil {
				t.Fatalf("slot %d is at %q", slot, addr)
			}
		}
	})
}

// stringConn is a connection to read from.
type stringConn struct {
	net.Conn
	io.Reader
}

func (c stringConn) Read(to []byte) (int, error) { return c.Reader.Read(to) }

func TestSlots(t *testing.T) {
	const answer = "*3\r\n" +
		"*3\r\n:0\r\n:5460\r\n*3\r\n$9\r\n127.0.0.1\r\n:7001\r\n$2\r\nid\r\n" +
		"*4\r\n:5461\r\n:10922\r\n*3\r\n$0\r\n\r\n:7002\r\n$2\r\nid\r\n*3\r\n$1\r\nx\r\n:1\r\n$1\r\ny\r\n" +
		"*3\r\n:10923\r\n:16382\r\n*2\r\n_\r\n:7003\r\n"
	v, err := newRespReader(strings.NewReader(answer), 0).any()
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := mastersOf(v, "[::1]:7000")
	if err != nil {
		t.Fatal(err)
	}
	for slot, want := range map[int]string{0: "127.0.0.1:7001", 5460: "127.0.0.1:7001", 5461: "[::1]:7002", 16382: "[::1]:7003", 16383: ""} {
		if got, err := masterOf(ranges, slot); got != want || (err != nil) != (want == "") {
			t.Errorf("slot %d: %q, %v, want %q", slot, got, err, want)
		}
	}
}
