package conformance

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// acceptOnce listens on a loopback port, answers every HTTP request with 200
// and hands the head of the first one, as it was on the wire, to the channel.
func acceptOnce(t testing.TB, head chan<- []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { answerRaw(conn, head) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	return l.Addr().String()
}

// answerRaw serves one request of a connection.
func answerRaw(conn net.Conn, head chan<- []byte) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(2 * patience))
	in := bufio.NewReader(conn)
	var text bytes.Buffer
	length := 0
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		text.WriteString(line)
		if value, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, _ = strconv.Atoi(strings.TrimSpace(value))
		}
		if line == "\r\n" {
			break
		}
	}
	_, _ = io.CopyN(io.Discard, in, int64(length))
	select {
	case head <- text.Bytes():
	default:
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
}

// lateReceiver has an address where nothing listens before open.
type lateReceiver struct {
	*receiver
	address string
	srv     *http.Server
	serving sync.WaitGroup
}

// newLateReceiver takes a free port. Call it before the server starts, so that
// the server is stopped first.
func newLateReceiver(t testing.TB) *lateReceiver {
	t.Helper()
	// Outgoing connections take their ports from 127.0.0.1: elsewhere the port
	// stays free until it is opened. Not every system has the second address.
	l, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
	address := l.Addr().String()
	r := &receiver{url: "http://" + address + "/hook", arrived: make(chan delivery, 4096)}
	late := &lateReceiver{receiver: r, address: address, srv: &http.Server{Handler: r, ReadHeaderTimeout: patience}}
	t.Cleanup(func() {
		_ = late.srv.Close()
		late.serving.Wait()
	})
	return late
}

func (r *lateReceiver) open(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", r.address)
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	r.serving.Go(func() { _ = r.srv.Serve(l) })
}
