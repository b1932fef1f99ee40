package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/pipesocket/pipesocketd/internal/daemon"
)

func main() {
	// Signals are taken from the first moment, so that none ends the process
	// without a graceful stop once it serves.
	signals := make(chan os.Signal, 2)
	p := program{
		stdin:    os.Stdin,
		stdout:   os.Stdout,
		stderr:   os.Stderr,
		environ:  os.Environ(),
		terminal: isTerminal(os.Stderr),
		signals:  signals,
		notify:   func() { signal.Notify(signals, os.Interrupt, syscall.SIGTERM) },
		serve:    daemon.Run,
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// A program is one run of the command with what it touches of its process.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	environ        []string
	terminal       bool             // stderr is one
	signals        <-chan os.Signal // never closed
	notify         func()           // makes signals go there
	serve          func(context.Context, daemon.Options) error
}

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

// An exitError decides the exit code. Errors of any other type come from the
// parser of the command line.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return e.err.Error() }

func (e exitError) Unwrap() error { return e.err }

func failure(err error) error { return exitError{exitFailure, err} }

// run executes a command line and returns the exit code.
func (p *program) run(ctx context.Context, args []string) int {
	root := p.rootCommand() //nolint:contextcheck // commands get the context below
	root.SetArgs(args)
	root.SetIn(p.stdin)
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if exit, ok := errors.AsType[exitError](err); ok {
		fmt.Fprintf(p.stderr, "pipesocketd: %v\n", err)
		return exit.code
	}
	fmt.Fprintf(p.stderr, "pipesocketd: %v\nRun 'pipesocketd --help' for usage.\n", err)
	return exitUsage
}
