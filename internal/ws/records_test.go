package ws

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// onTLSTwins runs a test over TLS, with loops and without.
func onTLSTwins(t *testing.T, test func(t *testing.T, s *socketServer)) {
	for _, goroutines := range []bool{false, true} {
		t.Run(fmt.Sprintf("goroutines=%t", goroutines), func(t *testing.T) {
			test(t, serveSockets(t, "tls", goroutines, nil))
		})
	}
}

// dialByHand is dial for a client that makes its own records.
func (s *socketServer) dialByHand(t *testing.T) *recordClient {
	t.Helper()
	c := secureByHand(t, s.dialSocket())
	s.upgrade(c)
	return c
}

// Where records, their pieces on the way and messages begin and end has nothing
// to do with one another, and keys may change at any time.
func TestMessagesArriveHoweverRecordsAreCut(t *testing.T) { // P-061
	const messages = 300
	onTLSTwins(t, func(t *testing.T, s *socketServer) {
		c := s.dialByHand(t)
		r := subscribe(t, c)
		var work sync.WaitGroup
		var asked int64
		work.Go(func() { asked = sendRecords(t, c, messages) })
		for i := range messages {
			if f := r.nextEvent(protocol.EventSubscriptionSucceeded); f.Channel != fmt.Sprint("c", i) {
				t.Fatalf("got the answer for %q, want that for c%d", f.Channel, i)
			}
		}
		work.Wait()
		for c.updates.Load() < asked {
			if _, err := c.Conn.Write(c.record(recordData, textFrame(0x89, ""))); err != nil {
				t.Fatal(err)
			}
			if f := r.next(); f.Op != testkit.OpPong {
				t.Fatalf("got %+v, want a pong", f)
			}
		}
		if n := c.updates.Load(); n != asked || n == 0 {
			t.Errorf("the server has changed its keys %d times, %d were asked for", n, asked)
		}
	})
}

// sendRecords subscribes to channels, in random records cut into random pieces,
// and returns how often it has asked for new keys.
func sendRecords(t *testing.T, c *recordClient, messages int) (asked int64) {
	r := rand.New(rand.NewPCG(2, 3))
	var frames []byte
	for i := range messages {
		frames = append(frames, textFrame(0x81, fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"c%d"},"x":"%0*d"}`, i, 1+r.IntN(3_000), 0))...)
	}
	var records []byte
	for len(frames) > 0 {
		n := min(len(frames), 1+r.IntN(1+r.IntN(16<<10)))
		records = append(records, c.record(recordData, frames[:n])...)
		frames = frames[n:]
		switch r.IntN(6) {
		case 0:
			records = append(records, c.keyUpdate(true)...)
			asked++
		case 1:
			records = append(records, c.keyUpdate(false)...)
		case 2:
			records = append(records, c.record(recordData, nil)...)
		}
	}
	for len(records) > 0 {
		n := min(len(records), 1+r.IntN(1+r.IntN(20<<10)))
		if _, err := c.Conn.Write(records[:n]); err != nil {
			t.Errorf("send: %v", err)
			return asked
		}
		records = records[n:]
		runtime.Gosched()
	}
	return asked
}

// TLS looks for a goodbye behind what it gives, and may find a part of one.
func TestHalfAGoodbyeIsNone(t *testing.T) {
	onTLSTwins(t, func(t *testing.T, s *socketServer) {
		c := s.dialByHand(t)
		r := subscribe(t, c)
		message, goodbye := c.record(recordData, textFrame(0x81, pingText)), c.record(recordAlert, []byte{1, 0})
		if _, err := c.Conn.Write(append(message, goodbye[:3]...)); err != nil {
			t.Fatal(err)
		}
		r.nextEvent(protocol.EventPong)
		if _, err := c.Conn.Write(goodbye[3:]); err != nil {
			t.Fatal(err)
		}
		testkit.WaitFor(t, func() bool { return s.handler.open.Load() == 0 }, "the connection to end")
	})
}

// However TLS ends, it ends one connection.
func TestEndsOfTLS(t *testing.T) {
	for name, end := range map[string]func(c *recordClient) []byte{
		"a goodbye": func(c *recordClient) []byte { return c.record(recordAlert, []byte{1, 0}) },
		"a goodbye behind a message": func(c *recordClient) []byte {
			return append(c.record(recordData, textFrame(0x81, pingText)), c.record(recordAlert, []byte{1, 0})...)
		},
		"a goodbye in half a message": func(c *recordClient) []byte {
			return append(c.record(recordData, textFrame(0x81, pingText)[:9]), c.record(recordAlert, []byte{1, 0})...)
		},
		"a damaged record": func(c *recordClient) []byte {
			record := c.record(recordData, textFrame(0x81, pingText))
			record[9] ^= 1
			return record
		},
		"no record at all":                 func(*recordClient) []byte { return []byte("GET / HTTP/1.1\r\n\r\n") },
		"a handshake that does not belong": func(c *recordClient) []byte { return c.record(recordHandshake, []byte{1, 0, 0, 0}) },
		"empty records for ever": func(c *recordClient) (all []byte) {
			for range 100 {
				all = append(all, c.record(recordData, nil)...)
			}
			return all
		},
	} {
		t.Run(name, func(t *testing.T) {
			onTLSTwins(t, func(t *testing.T, s *socketServer) {
				other := subscribe(t, s.dial())
				c := s.dialByHand(t)
				subscribe(t, c)
				if _, err := c.Conn.Write(end(c)); err != nil {
					t.Fatal(err)
				}
				testkit.WaitFor(t, func() bool { return s.handler.open.Load() == 1 }, "the connection to end")
				if _, err := other.conn.Write(textFrame(0x81, pingText)); err != nil {
					t.Fatal(err)
				}
				other.nextEvent(protocol.EventPong)
			})
		})
	}
}
