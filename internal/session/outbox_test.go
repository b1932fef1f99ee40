package session

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/netpoll"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// connection is a connected pair, the server's end first.
type connection struct {
	server, client net.Conn
	loops          bool // the server's end is served by a loop
}

// outbox returns the write side of the server's end, which ends with the test.
func (c connection) outbox(t testing.TB, limit int) *Outbox {
	t.Helper()
	if !c.loops {
		out := NewOutbox(c.server, limit)
		t.Cleanup(out.End)
		return out
	}
	poller, err := netpoll.New(func() netpoll.Work { return noWork{} })
	if err != nil {
		t.Fatal(err)
	}
	conn, handler := &netpoll.Conn{}, &flusher{}
	if secure, ok := c.server.(*tls.Conn); ok {
		under := secure.NetConn().(*netpoll.Underlay)
		handler.out = NewSecuredOutbox(conn, under, secure, limit)
		err = poller.AdoptUnder(conn, under, handler)
	} else {
		handler.out = NewPolledOutbox(conn, limit)
		err = poller.Adopt(conn, c.server, handler)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		handler.out.End()
		if err := poller.Close(); err != nil {
			t.Error(err)
		}
	})
	return handler.out
}

type noWork struct{}

func (noWork) Done() {}

// flusher is the handler of an outbox without a reader.
type flusher struct{ out *Outbox }

func (f *flusher) Ready(_ *netpoll.Pass, _, writable bool) {
	if writable {
		f.out.Flush()
	}
}

// awaitGone returns when everything queued has left or cannot.
func awaitGone(out *Outbox) {
	if gone := out.Gone(); gone != nil {
		<-gone
	}
}

// waiting returns how many bytes wait.
func waiting(out *Outbox) int {
	out.mu.Lock()
	defer out.mu.Unlock()
	if out.backlog == nil {
		return 0
	}
	return out.backlog.bytes
}

// connections are the kinds of connection that an outbox writes to.
var connections = map[string]func(t *testing.T) connection{
	"tcp": func(t *testing.T) connection { return dialPair(t, "tcp", "127.0.0.1:0") },
	"unix": func(t *testing.T) connection {
		return dialPair(t, "unix", t.TempDir()+"/socket")
	},
	"tls": func(t *testing.T) connection {
		plain := dialPair(t, "tcp", "127.0.0.1:0")
		server := tls.Server(netpoll.NewUnderlay(plain.server), &tls.Config{Certificates: []tls.Certificate{testkit.Certificate(t)}})
		client := tls.Client(plain.client, &tls.Config{InsecureSkipVerify: true})
		done := make(chan error, 1)
		go func() { done <- client.HandshakeContext(t.Context()) }()
		if err := errors.Join(server.HandshakeContext(t.Context()), <-done); err != nil {
			t.Fatal(err)
		}
		return connection{server: server, client: client}
	},
	"pipe": func(t *testing.T) connection {
		server, client := net.Pipe()
		return cleanUp(t, connection{server: server, client: client})
	},
}

func init() {
	if runtime.GOOS != "linux" {
		return
	}
	for _, name := range []string{"tcp", "unix", "tls"} {
		connect := connections[name]
		connections["polled "+name] = func(t *testing.T) connection {
			c := connect(t)
			c.loops = true
			return c
		}
	}
}

func dialPair(t testing.TB, network, address string) connection {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var dialer net.Dialer
	client, err := dialer.DialContext(t.Context(), network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return cleanUp(t, connection{server: server, client: client})
}

func cleanUp(t testing.TB, c connection) connection {
	t.Cleanup(func() {
		_ = c.server.Close()
		_ = c.client.Close()
	})
	return c
}

func onEach(t *testing.T, test func(t *testing.T, c connection)) {
	for name, connect := range connections {
		t.Run(name, func(t *testing.T) { test(t, connect(t)) })
	}
}

func event(name, data string) protocol.Wire {
	return protocol.Event{Name: name, Channel: "c", Data: protocol.PayloadOfText(data)}.Encode()
}

func TestOutboxKeepsFramesWholeAndInOrder(t *testing.T) { // P-061 for what leaves one connection
	const writers, each = 8, 200
	onEach(t, func(t *testing.T, c connection) {
		out := c.outbox(t, 64<<20)
		var writing sync.WaitGroup
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					frame := event(fmt.Sprint(w), fmt.Sprint(i, strings.Repeat("x", i*17)))
					if err := out.Deliver(frame); err != nil {
						t.Errorf("deliver: %v", err)
					}
					if err := out.DeliverCopy(protocol.PingFrame()); err != nil {
						t.Errorf("deliver ping: %v", err)
					}
				}
			})
		}
		go func() {
			writing.Wait()
			out.Close(protocol.CloseFrame(protocol.CloseReconnect), false)
		}()
		frames := readFrames(t, c.client)
		awaitGone(out)

		next := make(map[string]int)
		pings := 0
		for _, f := range frames[:len(frames)-1] {
			if f.Op == testkit.OpPing {
				pings++
				continue
			}
			var i int
			if _, err := fmt.Sscan(f.Data, &i); err != nil || i != next[f.Event] {
				t.Fatalf("writer %s: got event %d, want %d (%v)", f.Event, i, next[f.Event], err)
			}
			next[f.Event]++
		}
		if pings != writers*each {
			t.Errorf("%d pings arrived, want %d", pings, writers*each)
		}
		for w := range writers {
			if next[fmt.Sprint(w)] != each {
				t.Errorf("writer %d: %d events arrived, want %d", w, next[fmt.Sprint(w)], each)
			}
		}
		if last := frames[len(frames)-1]; last.Code != 4200 {
			t.Errorf("last frame is %+v, want close 4200", last)
		}
	})
}

// readFrames reads what the server sends up to and including its close frame.
func readFrames(t *testing.T, client net.Conn) []testkit.Frame {
	t.Helper()
	_ = client.SetReadDeadline(time.Now().Add(20 * time.Second))
	var all []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := client.Read(buf)
		all = append(all, buf[:n]...)
		if frames, whole := wholeFrames(t, all); whole {
			return frames
		}
		if err != nil {
			t.Fatalf("connection ended after %d bytes without close frame: %v", len(all), err)
		}
	}
}

// wholeFrames decodes all if it consists of whole frames and ends with a close.
func wholeFrames(t *testing.T, all []byte) ([]testkit.Frame, bool) {
	t.Helper()
	closes := false
	for at := 0; at < len(all); {
		n := protocol.Wire(all[at:]).FrameLen()
		if n == 0 {
			return nil, false
		}
		closes = protocol.IsClose(all[at:])
		at += n
	}
	if !closes {
		return nil, false
	}
	return testkit.Frames(t, all), true
}

func TestOutboxSlowConsumer(t *testing.T) {
	t.Run("P-060 a peer that does not read fills the backlog, and Deliver never waits", func(t *testing.T) {
		onEach(t, func(t *testing.T, c connection) {
			const limit = 100 << 10
			out := c.outbox(t, limit)
			slow := fillUntilSlow(t, out)
			if slow == 0 {
				t.Fatal("no delivery was taken")
			}
			if n := waiting(out); n > limit+8<<10 {
				t.Errorf("backlog holds %d bytes, over the limit of %d", n, limit)
			}
		})
	})
	t.Run("P-060 it is closed with 4100 behind a whole frame, and the rest of the backlog is dropped", func(t *testing.T) {
		onEach(t, func(t *testing.T, c connection) {
			out := c.outbox(t, 300<<10)
			taken := fillUntilSlow(t, out)
			out.Close(ClosingFrames(protocol.CloseOverCapacity, true), true)
			if held := waiting(out); held > 2*flushBytes+64<<10 {
				t.Errorf("%d bytes are still held after the close", held)
			}
			if err := out.Deliver(event("late", "x")); err != nil {
				t.Errorf("delivery to a closing connection: %v", err)
			}
			frames := readFrames(t, c.client)
			awaitGone(out)
			if n := len(frames); n < 2 || frames[n-1].Code != 4100 || frames[n-2].Event != protocol.EventError {
				t.Errorf("the last frames are %+v", frames[max(0, len(frames)-2):])
			}
			if len(frames)-2 > taken {
				t.Errorf("%d frames arrived, %d were taken", len(frames)-2, taken)
			}
		})
	})
	t.Run("a peer that does not even take the close frame is dropped by Abort", func(t *testing.T) {
		onEach(t, func(t *testing.T, c connection) {
			out := c.outbox(t, 200<<10)
			fillUntilStuck(t, out)
			out.Close(ClosingFrames(protocol.CloseOverCapacity, false), true)
			gone := out.Gone()
			if gone == nil {
				t.Fatal("everything has left")
			}
			out.Abort()
			<-gone
			_ = c.client.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, c.client); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the connection is still open")
			}
		})
	})
}

// fillUntilSlow delivers until the outbox refuses; the peer does not read. It
// returns how many deliveries were taken.
func fillUntilSlow(t *testing.T, out *Outbox) int {
	t.Helper()
	noise := make([]byte, 20<<10)
	_, _ = rand.Read(noise)
	frame := event("e", fmt.Sprintf("%x", noise))
	for n := range 100_000 {
		err := out.Deliver(frame)
		if errors.Is(err, ErrSlow) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("the outbox takes everything")
	return 0
}

// fillUntilStuck delivers until the kernel takes nothing more either.
func fillUntilStuck(t *testing.T, out *Outbox) {
	t.Helper()
	const enough = 50 // looks without progress, some milliseconds apart
	stuck := 0
	testkit.WaitFor(t, func() bool {
		stuck++
		if fillUntilSlow(t, out) > 0 {
			stuck = 0
		}
		return stuck == enough
	}, "the connection to be full")
}

func TestOutboxEnds(t *testing.T) {
	t.Run("a close frame that the library writes is the last", func(t *testing.T) {
		onEach(t, func(t *testing.T, c connection) {
			out := c.outbox(t, 1<<20)
			if err := out.DeliverCopy(protocol.CloseFrame(protocol.CloseProtocol)); err != nil {
				t.Fatal(err)
			}
			_ = out.Deliver(event("late", "x"))
			if out.Close(protocol.CloseFrame(protocol.CloseReconnect), false) {
				t.Error("a second close was accepted")
			}
			if frames := readFrames(t, c.client); len(frames) != 1 || frames[0].Code != 1002 {
				t.Errorf("arrived: %+v", frames)
			}
			awaitGone(out)
		})
	})
	t.Run("a peer that is gone breaks the outbox without an error for the publisher", func(t *testing.T) {
		onEach(t, func(t *testing.T, c connection) {
			out := c.outbox(t, 1<<20)
			_ = c.client.Close()
			testkit.WaitFor(t, func() bool {
				if err := out.Deliver(event("e", "x")); err != nil {
					t.Fatalf("deliver: %v", err)
				}
				return out.Closing()
			}, "the outbox to notice")
			awaitGone(out)
		})
	})
	t.Run("bytes given to DeliverCopy may be reused at once", func(t *testing.T) {
		c := connections["pipe"](t) // never takes anything directly
		out := c.outbox(t, 1<<20)
		buf := append([]byte(nil), protocol.PingFrame()...)
		if err := out.DeliverCopy(buf); err != nil {
			t.Fatal(err)
		}
		clear(buf)
		out.Close(protocol.CloseFrame(protocol.CloseReconnect), false)
		if frames := readFrames(t, c.client); frames[0].Op != testkit.OpPing {
			t.Errorf("arrived: %+v", frames[0])
		}
		awaitGone(out)
	})
}

func TestFrameEnd(t *testing.T) {
	a, b := event("a", "1"), event("b", strings.Repeat("x", 70_000))
	both := append(append(protocol.Wire(nil), a...), b...)
	for _, c := range []struct{ at, want int }{
		{1, len(a)}, {len(a) - 1, len(a)}, {len(a), len(both)}, {len(a) + 1, len(both)}, {len(both) - 1, len(both)},
	} {
		if got := frameEnd(both, c.at); got != c.want {
			t.Errorf("frameEnd at %d of %d+%d is %d, want %d", c.at, len(a), len(b), got, c.want)
		}
	}
}

func BenchmarkOutboxDeliver(b *testing.B) {
	for _, loops := range []bool{true, false} {
		b.Run(fmt.Sprintf("loops=%t", loops), func(b *testing.B) {
			c := dialPair(b, "tcp", "127.0.0.1:0")
			c.loops = loops
			out := c.outbox(b, 1<<30)
			drained := make(chan struct{})
			go func() { defer close(drained); _, _ = io.Copy(io.Discard, c.client) }()
			frame := event("my-event", strings.Repeat("x", 256))
			b.ReportAllocs()
			for b.Loop() {
				if err := out.Deliver(frame); err != nil {
					b.Fatal(err)
				}
			}
			out.Close(protocol.CloseFrame(protocol.CloseReconnect), true)
			out.End()
			<-drained
		})
	}
}
