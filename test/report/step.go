package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	kindCheck = "check"
	kindGo    = "go"
	kindNode  = "node"
)

// killWait is how long a command may take to end once told to.
const killWait = 10 * time.Second

type step struct {
	name, kind, dir string
	command         []string
	timeout         time.Duration
	strictSkips     bool
	out             io.Writer
}

// run runs the command and counts. The error tells that counting itself was not
// possible; a command that failed is part of the result.
func (s *step) run(ctx context.Context) (*result, error) {
	reasons, err := loadSkipReasons(s.strictSkips)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.out, "=== %s\n", s.name)
	start := time.Now()
	r := &result{Name: s.name}
	switch s.kind {
	case kindCheck:
		if s.exec(ctx, s.out, nil) == nil {
			r.pass()
		} else {
			r.fail(s.name)
		}
	case kindGo:
		s.runGo(ctx, r, reasons)
	case kindNode:
		if err := s.runNode(ctx, r, reasons); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("unknown kind %q", s.kind)
	}
	r.Took = time.Since(start)
	fmt.Fprintf(s.out, "--- %s: %d passed, %d failed, %d skipped (%s)\n",
		s.name, r.Passed, r.Failed, r.Skipped, r.Took.Round(100*time.Millisecond))
	return r, nil
}

func (s *step) runGo(ctx context.Context, r *result, reasons skipReasons) {
	events, feed := io.Pipe()
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		countGo(events, s.out, r, reasons)
	}()
	err := s.exec(ctx, feed, nil)
	_ = feed.Close() // never fails
	<-counted
	s.blame(r, err)
}

func (s *step) runNode(ctx context.Context, r *result, reasons skipReasons) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return fmt.Errorf("make results folder: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(s.dir, s.name+".tap"))
	if err != nil {
		return fmt.Errorf("name report: %w", err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old report: %w", err)
	}
	// Through the environment, so that the script that starts Node need not know.
	runErr := s.exec(ctx, s.out, []string{"NODE_OPTIONS=" +
		"--test-reporter=spec --test-reporter-destination=stdout" +
		" --test-reporter=tap --test-reporter-destination=" + path})
	report, err := os.Open(path)
	if err != nil {
		r.fail("no report: " + err.Error())
		return nil
	}
	defer report.Close()
	countTAP(report, r, reasons)
	s.blame(r, runErr)
	return nil
}

// blame counts a failure of the command that no test accounts for.
func (s *step) blame(r *result, err error) {
	if err != nil && r.Failed == 0 {
		r.fail(s.name + ": " + err.Error())
	}
	if r.Passed+r.Failed == 0 {
		r.fail(s.name + ": no tests ran")
	}
}

// exec runs the command in a process group of its own, so that on a timeout or
// an interrupt nothing it started stays behind.
func (s *step) exec(ctx context.Context, stdout io.Writer, env []string) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	cmd.Stdout, cmd.Stderr = stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = killWait
	err := cmd.Run()
	if ctx.Err() != nil {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		}
		return fmt.Errorf("%s: ended: %w", s.command[0], ctx.Err())
	}
	return err
}
