package quietconn

import (
	"bytes"
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
	quiet, _ := pair(t, "tcp", "127.0.0.1:0")
	ended := make(chan error)
	go func() {
		_, err := quiet.Read(make([]byte, 1))
		ended <- err
	}()
	_ = quiet.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading from a connection that is closed: %v", err)
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
