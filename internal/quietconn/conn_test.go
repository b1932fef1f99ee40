package quietconn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// pair returns both ends of a connection, one of them quiet.
func pair(t *testing.T, network, address string) (quiet, other net.Conn) {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	dialed, err := net.Dial(network, listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if other, err = listener.Accept(); err != nil {
		t.Fatal(err)
	}
	quiet = New(dialed)
	t.Cleanup(func() { _, _ = quiet.Close(), other.Close() })
	return quiet, other
}

func TestConn(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			quiet, other := pair(t, network, address)
			// More than a socket takes, so that both sides have to wait.
			sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
			var both sync.WaitGroup
			both.Go(func() { _, _ = io.Copy(other, io.LimitReader(other, int64(len(sent)))) })
			both.Go(func() {
				if n, err := quiet.Write(sent); n != len(sent) || err != nil {
					t.Errorf("wrote %d of %d bytes: %v", n, len(sent), err)
				}
			})
			got := make([]byte, len(sent))
			if _, err := io.ReadFull(quiet, got); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("what came back is not what was sent: %v", err)
			}
			both.Wait()
			if n, err := quiet.Read(nil); n != 0 || err != nil {
				t.Errorf("reading nothing: %d, %v", n, err)
			}
			_ = other.Close()
			if _, err := quiet.Read(got); !errors.Is(err, io.EOF) {
				t.Errorf("at the end: %v", err)
			}
		})
	}
}

func TestConnKeepsDeadlines(t *testing.T) {
	quiet, _ := pair(t, "tcp", "127.0.0.1:0")
	_ = quiet.SetDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := quiet.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading: %v", err)
	}
	if _, err := quiet.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("writing: %v", err)
	}
}

func TestConnTellsFailures(t *testing.T) {
	quiet, other := pair(t, "tcp", "127.0.0.1:0")
	_ = other.(*net.TCPConn).SetLinger(0)
	_ = other.Close()
	_, err := quiet.Read(make([]byte, 1))
	failure, ok := errors.AsType[*net.OpError](err)
	if !ok || !errors.Is(err, syscall.ECONNRESET) || failure.Op != "read" || failure.Net != "tcp" {
		t.Errorf("reading from a connection that was reset: %v", err)
	}
	if _, err := quiet.Write([]byte("x")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing to it: %v", err)
	}
	_ = quiet.Close()
	if _, err := quiet.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading from a connection that was closed: %v", err)
	}
	if _, err := quiet.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing to it: %v", err)
	}
}

func TestConnEndsWaiting(t *testing.T) {
	tests := []struct {
		name string
		end  func(net.Conn) error
		want error
	}{
		{"it is closed", net.Conn.Close, net.ErrClosed},
		{"its deadline is moved to the past", func(c net.Conn) error { return c.SetDeadline(time.Unix(1, 0)) }, os.ErrDeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			quiet, _ := pair(t, "tcp", "127.0.0.1:0")
			ended := make(chan error)
			go func() {
				_, err := quiet.Read(make([]byte, 1))
				ended <- err
			}()
			go func() {
				_, err := quiet.Write(make([]byte, 64<<20))
				ended <- err
			}()
			if err := tt.end(quiet); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := <-ended; !errors.Is(err, tt.want) {
					t.Errorf("got %v, want %v", err, tt.want)
				}
			}
		})
	}
}

func TestConnWorksAfterADeadlineWasMoved(t *testing.T) {
	quiet, other := pair(t, "tcp", "127.0.0.1:0")
	_ = quiet.SetDeadline(time.Unix(1, 0))
	if _, err := quiet.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("reading: %v", err)
	}
	_ = quiet.SetDeadline(time.Time{})
	_, _ = other.Write([]byte("x"))
	if n, err := quiet.Read(make([]byte, 8)); n != 1 || err != nil {
		t.Errorf("reading later: %d, %v", n, err)
	}
}

// A peer that has said all it has to say still listens.
func TestConnIsHalfClosed(t *testing.T) {
	quiet, other := pair(t, "tcp", "127.0.0.1:0")
	_, _ = other.Write([]byte("last"))
	_ = other.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(quiet); string(got) != "last" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	if _, err := quiet.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	_ = quiet.Close()
	if got, err := io.ReadAll(other); string(got) != "answer" || err != nil {
		t.Errorf("the other end read %q, %v", got, err)
	}
}

// Many at once: nothing of what one writes stands within what another does.
func TestConnIsShared(t *testing.T) {
	quiet, other := pair(t, "tcp", "127.0.0.1:0")
	const writers, each, size = 8, 50, 16 << 10
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			b := bytes.Repeat([]byte{byte('a' + i)}, size)
			for range each {
				if _, err := quiet.Write(b); err != nil {
					t.Errorf("write: %v", err)
				}
			}
		})
	}
	got, counts := make([]byte, size), map[byte]int{}
	for range writers * each {
		if _, err := io.ReadFull(other, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, bytes.Repeat(got[:1], size)) {
			t.Fatal("two writes are mixed")
		}
		counts[got[0]]++
	}
	all.Wait()
	if len(counts) != writers {
		t.Errorf("got %v", counts)
	}
}

func TestConnUnderTLS(t *testing.T) {
	quiet, other := pair(t, "tcp", "127.0.0.1:0")
	authority := testkit.NewAuthority(t, "engines")
	secure := tls.Client(quiet, &tls.Config{RootCAs: authority.Pool(), ServerName: "localhost"})
	echo := tls.Server(other, &tls.Config{Certificates: []tls.Certificate{authority.Issue("engine", time.Now().Add(time.Hour))}})
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(echo, echo)
		_ = echo.Close()
	})
	both.Go(func() {
		if _, err := secure.Write(sent); err != nil {
			t.Errorf("write: %v", err)
		}
		if err := secure.CloseWrite(); err != nil {
			t.Errorf("close writing: %v", err)
		}
	})
	if got, err := io.ReadAll(secure); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came back: %v", len(got), len(sent), err)
	}
	both.Wait()
	_ = secure.SetDeadline(time.Unix(1, 0))
	if _, err := secure.Write([]byte("x")); err == nil {
		t.Error("writing after the end succeeded")
	}
}

func TestNewLeavesOtherConnectionsAlone(t *testing.T) {
	a, b := net.Pipe()
	defer func() { _, _ = a.Close(), b.Close() }()
	if New(a) != a {
		t.Error("a pipe in memory has become something else")
	}
}

func TestAllocations(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere connections are those of package net")
	}
	quiet, other := pair(t, "tcp", "127.0.0.1:0")
	b := make([]byte, 16)
	got := testing.AllocsPerRun(100, func() {
		_, _ = quiet.Write(b)
		_, _ = other.Read(b)
		_, _ = other.Write(b)
		_, _ = quiet.Read(b)
	})
	if got != 0 {
		t.Errorf("%v allocations for a message there and back", got)
	}
}
