package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Times within which a server starts and stops, on a machine that does much
// else at the same time.
const (
	serverStart = 30 * time.Second // from exec to the ready line
	serverStop  = 30 * time.Second // from SIGTERM to the end
)

// Server is a process of the server under test. Its methods may be used
// concurrently.
type Server struct {
	// Set by StartServer, immutable.
	Public string // URL of the public listener, mount not included
	Ops    string // URL of the operations listener
	Stderr Output

	command *exec.Cmd
	ended   chan struct{} // closed by watch after waitErr is set
	waitErr error         // read after ended

	terminating  sync.Once
	terminateErr error // set under terminating
}

var (
	errNotReady = errors.New("ended before it was ready")
	readyLine   = regexp.MustCompile(`^pipesocketd ready: public=(https?://\S+) ops=(https?://\S+)$`)
)

// StartServer runs the binary with this YAML configuration, which it writes to
// dir, and returns when it is ready. Settings in this process's environment do
// not reach the server, those in env ("NAME=value") do.
func StartServer(binary, dir, yaml string, env ...string) (*Server, error) {
	path := filepath.Join(dir, "pipesocketd.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		return nil, err
	}
	s := &Server{command: exec.Command(binary, "--config", path), ended: make(chan struct{})}
	s.command.Env = append(WithoutSettings(os.Environ()), env...)
	s.command.Stderr = &s.Stderr
	stdout, err := s.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	ready := make(chan []string, 1)
	go s.watch(stdout, ready)
	return s, s.awaitReady(ready)
}

// WithoutSettings returns an environment without settings of the server.
func WithoutSettings(environment []string) []string {
	var env []string
	for _, pair := range environment {
		if !strings.HasPrefix(pair, "PIPESOCKETD_") {
			env = append(env, pair)
		}
	}
	return env
}

// watch owns the process: it reads standard output to its end, reports the
// ready line and then waits for the exit.
func (s *Server) watch(stdout io.Reader, ready chan<- []string) {
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := readyLine.FindStringSubmatch(lines.Text()); found != nil {
			select {
			case ready <- found:
			default:
			}
		}
	}
	s.waitErr = s.command.Wait()
	close(s.ended)
}

func (s *Server) awaitReady(ready <-chan []string) error {
	timeout := time.NewTimer(serverStart)
	defer timeout.Stop()
	select {
	case found := <-ready:
		s.Public, s.Ops = found[1], found[2]
		return nil
	case <-s.ended:
		return fmt.Errorf("%w\n%s", errors.Join(errNotReady, s.waitErr), s.Stderr.String())
	case <-timeout.C:
		s.Kill()
		return fmt.Errorf("not ready within %v\n%s", serverStart, s.Stderr.String())
	}
}

// PID returns the process's id.
func (s *Server) PID() int { return s.command.Process.Pid }

// Ended is closed when the process has ended.
func (s *Server) Ended() <-chan struct{} { return s.ended }

// Terminate sends SIGTERM to a process that still runs, once: a second one would
// end it at once.
func (s *Server) Terminate() error {
	s.terminating.Do(func() {
		err := s.command.Process.Signal(syscall.SIGTERM)
		if !errors.Is(err, os.ErrProcessDone) {
			s.terminateErr = err
		}
	})
	return s.terminateErr
}

// Kill ends the process at once and returns when it has ended.
func (s *Server) Kill() {
	_ = s.command.Process.Kill() // it may have ended by itself
	<-s.ended
}

// Signal sends a signal to the process.
func (s *Server) Signal(signal syscall.Signal) error { return s.command.Process.Signal(signal) }

// Stop ends the process by SIGTERM if it still runs and reports everything that
// was wrong with it: exit status, data races, panics. It may be called again.
func (s *Server) Stop() error {
	if err := s.Terminate(); err != nil {
		return err
	}
	timeout := time.NewTimer(serverStop)
	defer timeout.Stop()
	select {
	case <-s.ended:
		return errors.Join(s.exitError(), s.Verdict())
	case <-timeout.C:
		dump := s.dump()
		return fmt.Errorf("did not stop within %v of SIGTERM\n%s", serverStop, dump)
	}
}

// dump ends the process and returns what its goroutines were doing.
func (s *Server) dump() string {
	_ = s.Signal(syscall.SIGQUIT)
	timeout := time.NewTimer(serverStop)
	defer timeout.Stop()
	select {
	case <-s.ended:
	case <-timeout.C:
		s.Kill()
	}
	return s.Stderr.String()
}

func (s *Server) exitError() error {
	if s.waitErr == nil {
		return nil
	}
	text := s.Stderr.String()
	return fmt.Errorf("exit status: %w\n%s", s.waitErr, text[max(0, len(text)-4000):])
}

// Verdict reports the first data race or panic in what the process wrote.
func (s *Server) Verdict() error {
	text := s.Stderr.String()
	for _, sign := range []string{"DATA RACE", "panic"} {
		if at := strings.Index(text, sign); at >= 0 {
			return fmt.Errorf("standard error has %q:\n%s", sign, text[max(0, at-500):min(len(text), at+4000)])
		}
	}
	return nil
}
