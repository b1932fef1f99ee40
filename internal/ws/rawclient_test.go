package ws

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"testing"
	"time"
)

// rawClient is a client that decides itself what it reads, and may break rules.
// On a memoryListener nothing reaches it that it does not read.
type rawClient struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

// dialRaw connects with protocol 7 and reads the response of the handshake only.
func (s *testServer) dialRaw() *rawClient {
	s.t.Helper()
	conn, err := s.listener.dial(context.Background(), "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	c := &rawClient{t: s.t, conn: conn, in: bufio.NewReaderSize(conn, 16)}
	if err := c.write([]byte("GET /app/k?protocol=7 HTTP/1.1\r\nHost: memory\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")); err != nil {
		s.t.Fatal(err)
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		s.t.Fatalf("the handshake was answered with %s", response.Status)
	}
	return c
}

func (c *rawClient) write(b []byte) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(time.Hour))
	_, err := c.conn.Write(b)
	return err
}

// send writes one frame of up to 125 bytes, masked with zeros.
func (c *rawClient) send(op byte, payload string) error {
	return c.write(append([]byte{0x80 | op, 0x80 | byte(len(payload)), 0, 0, 0, 0}, payload...))
}

// read lets the client take whatever it is sent until the connection ends.
func (c *rawClient) read() {
	go func() {
		buf := make([]byte, 4<<10)
		for {
			if _, err := c.in.Read(buf); err != nil {
				return
			}
		}
	}()
}
