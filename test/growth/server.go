package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Credentials of the app that is loaded. The server listens on loopback only.
const (
	appID     = "4711"
	appKey    = "growth-key"
	appSecret = "growth-secret"
)

// configuration lets every load through: large events, client events at any
// rate, and backlogs that hold what is in flight. Profiles are served so that
// the load tool can tell live memory from dead.
const configuration = `listen: 127.0.0.1:0
ops: {listen: 127.0.0.1:0, pprof: true}
log: {level: error}
drain_window: 0s
limits: {frames_per_second: 0, request_bytes: 4194304}
apps:
  - id: "` + appID + `"
    keys: [{key: ` + appKey + `, secret: ` + appSecret + `}]
    client_events: true
    client_event_rate: 1000000
    max_event_bytes: 262144
    backlog_bytes: 16777216
`

var readyLine = regexp.MustCompile(`^pipesocketd ready: public=(\S+) ops=(\S+)`)

// server is one run of the server under load.
type server struct {
	command *exec.Cmd
	stderr  bytes.Buffer // read once the command has ended
	url     string
	ops     string
}

// Times within which a server has to start and to stop.
const (
	startTimeout = 10 * time.Second
	stopTimeout  = 20 * time.Second
)

// startServer starts the binary on so many processors, 0 for all, and waits until
// it is ready. dir takes the configuration.
func startServer(ctx context.Context, binary, dir string, cpus int) (*server, error) {
	file := filepath.Join(dir, "growth.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	argv := pinned(0, cpus, binary, "serve", "--config", file)
	s := &server{command: exec.CommandContext(ctx, argv[0], argv[1:]...)}
	s.command.Cancel = func() error { return s.command.Process.Signal(syscall.SIGTERM) }
	s.command.WaitDelay = stopTimeout
	s.command.Stderr = &s.stderr
	s.command.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool {
		return strings.HasPrefix(entry, "PIPESOCKETD_") // would go before the file
	})
	if cpus > 0 {
		s.command.Env = append(s.command.Env, "GOMAXPROCS="+strconv.Itoa(cpus))
	}
	output, err := s.command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe from server: %w", err)
	}
	if err := s.command.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	if err := s.awaitReady(output); err != nil {
		_ = s.command.Process.Kill()
		_ = s.command.Wait()
		return nil, fmt.Errorf("start server: %w\n%s", err, s.stderr.Bytes())
	}
	return s, nil
}

func (s *server) awaitReady(output io.ReadCloser) error {
	late := time.AfterFunc(startTimeout, func() { _ = output.Close() })
	defer late.Stop()
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if urls := readyLine.FindStringSubmatch(lines.Text()); urls != nil {
			s.url, s.ops = urls[1], urls[2]
			return nil
		}
	}
	return errors.New("it did not say that it was ready")
}

// stop ends the server and fails if it did not end well.
func (s *server) stop() error {
	_ = s.command.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(stopTimeout, func() { _ = s.command.Process.Kill() })
	defer late.Stop()
	if err := s.command.Wait(); err != nil {
		return fmt.Errorf("stop server: %w\n%s", err, s.stderr.Bytes())
	}
	return nil
}

// pinned returns a command line that runs on the given number of processors from
// first on, if that is wanted and the system has the program for it.
func pinned(first, count int, argv ...string) []string {
	taskset, err := exec.LookPath("taskset")
	if count == 0 || err != nil {
		return argv
	}
	return append([]string{taskset, "-c", fmt.Sprintf("%d-%d", first, first+count-1)}, argv...)
}
