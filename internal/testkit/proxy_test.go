package testkit

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// echo starts a server that answers lines with themselves.
func echo(t *testing.T) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// line sends a line and returns the answer, or the error of waiting for it.
func line(t *testing.T, c net.Conn, limit time.Duration) (string, error) {
	t.Helper()
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "hello\n"); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func connect(t *testing.T, p *Proxy) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestProxy(t *testing.T) {
	p := NewProxy(t, echo(t))
	c := connect(t, p)
	if got, err := line(t, c, time.Minute); got != "hello\n" {
		t.Fatalf("got %q, %v", got, err)
	}
	if got := p.Connections(); got != 1 {
		t.Errorf("%d connections, want 1", got)
	}

	p.Delay(30 * time.Millisecond)
	begin := time.Now()
	if got, err := line(t, c, time.Minute); got != "hello\n" {
		t.Errorf("delayed: got %q, %v", got, err)
	}
	if took := time.Since(begin); took < 60*time.Millisecond {
		t.Errorf("an answer took %v, want 30 ms in each direction", took)
	}
	p.Heal()

	p.Pause()
	if got, err := line(t, c, 50*time.Millisecond); err == nil {
		t.Errorf("paused: got %q", got)
	}
	p.Heal()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got, err := bufio.NewReader(c).ReadString('\n'); got != "hello\n" {
		t.Errorf("after the pause: got %q, %v", got, err)
	}

	p.Cut()
	if got, err := line(t, c, time.Minute); err == nil {
		t.Errorf("cut: got %q", got)
	}
	if c, err := net.Dial("tcp", p.Addr()); err == nil { // it is reset then, if not before
		if got, err := line(t, c, time.Minute); err == nil {
			t.Errorf("a new connection while cut: got %q", got)
		}
		_ = c.Close()
	}
	p.Heal()
	if got, err := line(t, connect(t, p), time.Minute); got != "hello\n" {
		t.Errorf("healed: got %q, %v", got, err)
	}
}
