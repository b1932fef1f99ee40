package webhook

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
)

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// signalling is a RoundTripper that tells of each attempt that has ended.
type signalling struct {
	roundTrip func(*http.Request) (*http.Response, error)
	ended     chan<- struct{}
}

func (s signalling) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.roundTrip(req)
	s.ended <- struct{}{}
	return resp, err
}

// newResolver returns a resolver whose only name server answers every question
// for an IPv4 address with what answer says, and has no IPv6 addresses.
func newResolver(t *testing.T, answer func(name string) netip.Addr) *net.Resolver {
	t.Helper()
	return newZone(t, func(name string) []netip.Addr { return []netip.Addr{answer(name)} })
}

// newZone does the same for several addresses of either kind.
func newZone(t *testing.T, answer func(name string) []netip.Addr) *net.Resolver {
	t.Helper()
	var servers sync.WaitGroup
	t.Cleanup(servers.Wait)
	return &net.Resolver{
		PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe() // a stream, so messages have their length before them
			servers.Go(func() { serveNames(theirs, answer) })
			return ours, nil
		},
	}
}

func serveNames(conn net.Conn, answer func(string) []netip.Addr) {
	defer conn.Close()
	for {
		var length uint16
		if binary.Read(conn, binary.BigEndian, &length) != nil {
			return
		}
		query := make([]byte, length)
		if _, err := io.ReadFull(conn, query); err != nil {
			return
		}
		reply := answerName(query, answer)
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...)); err != nil {
			return
		}
	}
}

// answerName answers a query of one question (RFC 1035, section 4; RFC 3596 for
// IPv6).
func answerName(query []byte, answer func(string) []netip.Addr) []byte {
	const header = 12
	var labels []string
	end := header
	for query[end] != 0 {
		n := int(query[end])
		labels = append(labels, string(query[end+1:end+1+n]))
		end += 1 + n
	}
	end++
	kind := binary.BigEndian.Uint16(query[end:])
	question := query[header : end+4]
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	for _, ip := range answer(strings.Join(labels, ".")) {
		if kind != map[bool]uint16{true: 1, false: 28}[ip.Is4()] { // A, AAAA
			continue
		}
		raw := ip.AsSlice()
		reply[7]++
		reply = append(reply, 0xc0, header, 0, byte(kind), 0, 1, 0, 0, 0, 0, 0, byte(len(raw))) // the same name, IN, no caching
		reply = append(reply, raw...)
	}
	return reply
}
