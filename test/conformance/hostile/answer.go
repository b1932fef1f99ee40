package hostile

import (
	"bufio"
	"io"
	"net"
	"strings"
	"time"
)

// drip is the pause between two bytes of a slow answer: short enough that a
// timeout of silence alone would never strike.
const drip = 50 * time.Millisecond

// Answers that are a text. Those with keep leave a usable connection behind.
var answers = map[Behaviour]struct {
	text string
	keep bool
}{
	Accept:         {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true},
	AcceptAndClose: {"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", false},
	BadChunks:      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n-zz\r\n\xff\x00\r\nffffffffffffffffff\r\n", false},
	ShortBody:      {"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhello", false},
	Fail:           {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 7\r\n\r\nno luck", true},
	Busy:           {"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", true},
	Redirect:       {"HTTP/1.1 307 Temporary Redirect\r\nLocation: " + RedirectPath + "\r\nContent-Length: 0\r\n\r\n", true},
	Upgrade:        {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: nonsense\r\n\r\nnonsense", false},
	Surplus: {
		"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n" +
			"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true,
	},
	Garbage:    {"\x16\x03\x01\x00\x00 200 OK\r\n\r\n\x00\xff", false},
	HalfAnswer: {"HTTP/1.1 200 OK\r\nContent-Le", false},
}

// Beginnings of answers without an end, and what is said again and again.
var endless = map[Behaviour]struct {
	head, again string
	slow        bool
}{
	SlowBody:    {"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "x", true},
	HugeBody:    {"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", strings.Repeat("x", 64<<10), false},
	SlowHead:    {"HTTP/1.1 200 OK\r\nX-Slow: ", "x", true},
	HugeHead:    {"HTTP/1.1 200 OK\r\n", "X-Huge: " + strings.Repeat("x", 1<<10) + "\r\n", false},
	EndlessHint: {"", "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n", false},
}

// answer shows the behaviour and reports whether the connection is of use after it.
func (r *Receiver) answer(conn net.Conn, in *bufio.Reader, behaviour Behaviour) (keep bool) {
	if said, ok := answers[behaviour]; ok {
		_, err := io.WriteString(conn, said.text)
		return err == nil && said.keep
	}
	if without, ok := endless[behaviour]; ok {
		r.repeat(conn, without.head, without.again, without.slow)
		return false
	}
	if behaviour == Hang {
		_, _ = io.Copy(io.Discard, in) // until the sender gives up
	}
	return false // CloseLate
}

// repeat writes until the sender has enough.
func (r *Receiver) repeat(conn net.Conn, head, again string, slow bool) {
	if _, err := io.WriteString(conn, head); err != nil {
		return
	}
	var pause <-chan time.Time
	if slow {
		ticker := time.NewTicker(drip)
		defer ticker.Stop()
		pause = ticker.C
	}
	for {
		if slow {
			select {
			case <-pause:
			case <-r.done:
				return
			}
		}
		if _, err := io.WriteString(conn, again); err != nil {
			return
		}
	}
}
