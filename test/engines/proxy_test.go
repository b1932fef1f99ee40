package engines

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// echo starts a server that says what it hears, behind a proxy.
func echo(t *testing.T) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return ProxyFor(t, listener.Addr().String())
}

// through opens a connection through the proxy.
func through(t *testing.T, p *Proxy) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

func say(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := conn.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// hear reads as much as the text, which has to come.
func hear(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != text {
		t.Fatalf("got %q, %v; want %q", got, err, text)
	}
}

// deaf requires that nothing comes for a moment.
func deaf(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read %d bytes, %v; want nothing", n, err)
	}
}

func TestProxy(t *testing.T) {
	t.Parallel()
	t.Run("passes on bytes and the end of the stream", func(t *testing.T) {
		t.Parallel()
		conn := through(t, echo(t))
		say(t, conn, "hello")
		hear(t, conn, "hello")
		if err := conn.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("got %v, want the end of the stream", err)
		}
	})
	t.Run("resets connections, old and new", func(t *testing.T) {
		t.Parallel()
		p := echo(t)
		old := through(t, p)
		say(t, old, "hello")
		hear(t, old, "hello")
		p.Set(Reset)
		for _, conn := range []net.Conn{old, through(t, p)} {
			if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want a reset", err)
			}
		}
		p.Set(Fault{})
		conn := through(t, p)
		say(t, conn, "again")
		hear(t, conn, "again")
	})
	for name, fault := range map[string]Fault{"both directions": BlackHole, "to the client": Deaf, "to the server": Dumb} {
		t.Run("holds what goes "+name+" until the fault is over", func(t *testing.T) {
			t.Parallel()
			p := echo(t)
			old := through(t, p)
			say(t, old, "hello")
			hear(t, old, "hello")
			p.Set(fault)
			young := through(t, p)
			for _, conn := range []net.Conn{old, young} {
				say(t, conn, "is anybody there?")
				deaf(t, conn)
			}
			p.Set(Fault{})
			hear(t, old, "is anybody there?")
			hear(t, young, "is anybody there?")
		})
	}
	t.Run("delays answers without holding up each for itself", func(t *testing.T) {
		t.Parallel()
		p := echo(t)
		conn := through(t, p)
		const delay = 200 * time.Millisecond
		p.Set(Fault{Delay: delay})
		begin := time.Now()
		const times = 20
		for range times {
			say(t, conn, "x")
			hear(t, conn, "")
		}
		for range times {
			hear(t, conn, "x")
		}
		if took := time.Since(begin); took < delay || took > times/2*delay {
			t.Errorf("took %v", took)
		}
	})
	t.Run("knows whose connection it is", func(t *testing.T) {
		t.Parallel()
		p := echo(t)
		conn := through(t, p)
		p.SetFor(os.Getppid(), Reset)
		say(t, conn, "hello")
		hear(t, conn, "hello")
		p.SetFor(os.Getpid(), BlackHole)
		say(t, conn, "hello")
		deaf(t, conn)
		p.SetFor(os.Getpid(), Fault{})
		hear(t, conn, "hello")
	})
}
