package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

const (
	patience     = 5 * time.Second  // for what should happen at once
	startTimeout = 20 * time.Second // from exec to the ready line
	stopTimeout  = 30 * time.Second // from SIGTERM to the end
)

// server is a target: where it is reached, and the process behind it.
type server struct {
	public string // base URL without trailing slash, mount not included
	ops    string
	mount  string       // "" or "/prefix"; set by the test that configured one
	http   *http.Client // trusts the server's certificate

	cmd       *exec.Cmd
	stderr    *capture
	exited    chan struct{} // closed by the waiting goroutine after waitErr is set
	signalled sync.Once
	signalErr error // set under signalled
	// waitErr is what Wait returned; read after exited.
	waitErr error
}

// startServer runs the binary with the given YAML configuration; listen
// addresses are added. The server is stopped when the test ends, and the test
// fails if it did not live and end cleanly. env has further NAME=value pairs.
func startServer(t *testing.T, yaml string, env ...string) *server {
	t.Helper()
	s, err := launch(t.TempDir(), yaml, env...)
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	return s
}

var errNotReady = errors.New("ended before it was ready")

var readyLine = regexp.MustCompile(`^pipesocketd ready: public=(https?://\S+) ops=(https?://\S+)$`)

func launch(dir, yaml string, env ...string) (*server, error) {
	path := filepath.Join(dir, "pipesocketd.yaml")
	if err := os.WriteFile(path, []byte(withAddresses(yaml)), 0o600); err != nil {
		return nil, err
	}
	s := &server{
		http:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
		stderr: &capture{},
		exited: make(chan struct{}),
	}
	s.cmd = exec.Command(program, "--config", path)
	s.cmd.Env = append(cleanEnv(), env...)
	s.cmd.Stderr = s.stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan []string, 1)
	go s.watch(stdout, ready)
	return s, s.awaitReady(ready)
}

func withAddresses(yaml string) string {
	head := "listen: 127.0.0.1:0\nops: {listen: 127.0.0.1:0}\n"
	if !strings.Contains(yaml, "drain_window:") {
		head += "drain_window: 200ms\n"
	}
	return head + yaml
}

// cleanEnv is this process's environment without settings of the server.
func cleanEnv() []string {
	var env []string
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PIPESOCKETD_") {
			env = append(env, pair)
		}
	}
	return env
}

// watch owns the process: it reads standard output to its end, reports the
// ready line and then waits for the exit.
func (s *server) watch(stdout io.Reader, ready chan<- []string) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := readyLine.FindStringSubmatch(lines.Text()); found != nil {
			select {
			case ready <- found:
			default:
			}
		}
	}
	s.waitErr = s.cmd.Wait()
	close(s.exited)
}

func (s *server) awaitReady(ready <-chan []string) error {
	select {
	case found := <-ready:
		s.public, s.ops = found[1], found[2]
		return nil
	case <-s.exited:
		return fmt.Errorf("%w\n%s", errors.Join(errNotReady, s.waitErr), s.stderr.String())
	case <-time.After(startTimeout):
		_ = s.cmd.Process.Kill()
		<-s.exited
		return fmt.Errorf("not ready within %v\n%s", startTimeout, s.stderr.String())
	}
}

// signal sends SIGTERM, once: a second one would end the process at once.
func (s *server) signal() error {
	s.signalled.Do(func() { s.signalErr = s.cmd.Process.Signal(syscall.SIGTERM) })
	return s.signalErr
}

// stop ends the process if it still runs and reports everything that was wrong
// with it: exit status, data races, panics. It may be called again.
func (s *server) stop() error {
	s.http.CloseIdleConnections()
	select {
	case <-s.exited:
	default:
		if err := s.signal(); err != nil {
			return err
		}
	}
	select {
	case <-s.exited:
		return errors.Join(s.exitError(), s.stderr.verdict())
	case <-time.After(stopTimeout):
		_ = s.cmd.Process.Kill()
		<-s.exited
		return fmt.Errorf("did not stop within %v of SIGTERM\n%s", stopTimeout, s.stderr.tail())
	}
}

func (s *server) exitError() error {
	if s.waitErr == nil {
		return nil
	}
	return fmt.Errorf("exit status: %w\n%s", s.waitErr, s.stderr.tail())
}

// host returns the public host:port.
func (s *server) host() string { return hostOf(s.public) }

func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Host
}

// dialTCP opens a bare connection to the public listener, closed with the test.
func (s *server) dialTCP(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.host(), patience)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// capture keeps what a process wrote to standard error.
type capture struct{ testkit.Output }

func (c *capture) tail() string {
	text := c.String()
	return text[max(0, len(text)-4000):]
}

// verdict reports the first data race or panic in the text.
func (c *capture) verdict() error {
	text := c.String()
	for _, sign := range []string{"DATA RACE", "panic"} {
		if at := strings.Index(text, sign); at >= 0 {
			return fmt.Errorf("standard error has %q:\n%s", sign, text[max(0, at-500):min(len(text), at+4000)])
		}
	}
	return nil
}
