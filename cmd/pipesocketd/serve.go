package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/daemon"
)

func (p *program) runServe(cmd *cobra.Command, _ []string) error {
	c, _, err := p.load(cmd, "")
	if err != nil {
		return invalid(exitUsage, err)
	}
	level := new(slog.LevelVar)
	level.Set(c.Log.SlogLevel())
	log := newLog(p.stderr, c.Log.Format, p.terminal, level)
	slog.SetDefault(log) // net/http's client tells some things to the standard logger only
	p.notify()
	return p.serveUntilSignal(cmd.Context(), daemon.Options{
		Config:  c,
		Log:     log,
		Stdout:  p.stdout,
		Version: buildVersion(),
		Reload: func() (*config.Config, error) {
			next, _, err := p.load(cmd, "")
			if err != nil {
				return nil, err
			}
			level.Set(next.Log.SlogLevel())
			return next, nil
		},
	})
}

// forcedStop is how long the server may take to end after a second signal.
const forcedStop = time.Second

// serveUntilSignal serves; the first signal asks for a graceful stop and the
// second for one at once. Only a server that does not even end then is left
// running when this returns.
func (p *program) serveUntilSignal(ctx context.Context, o daemon.Options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	force := make(chan struct{})
	o.Force = force
	served := make(chan error, 1)
	go func() { served <- p.serve(ctx, o) }()

	var forcedBy os.Signal
	var tooLong <-chan time.Time
	for {
		select {
		case err := <-served:
			if forcedBy != nil {
				return forced(forcedBy)
			}
			if err != nil {
				return failure(err)
			}
			return nil
		case <-tooLong:
			return forced(forcedBy)
		case signal := <-p.signals:
			switch {
			case ctx.Err() == nil:
				o.Log.Info("stopping on signal; a second one stops at once", "signal", signal.String())
				stop()
			case forcedBy == nil:
				forcedBy, tooLong = signal, time.After(forcedStop)
				close(force)
			}
		}
	}
}

// forced is the exit of a process that a signal ended, as shells number it.
func forced(by os.Signal) error {
	number, _ := by.(syscall.Signal)
	return exitError{128 + int(number), fmt.Errorf("stopped at once by a second signal (%v)", by)}
}
