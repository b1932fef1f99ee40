package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/history"
)

// closeHistory is short: while webhooks are flushed before it, the history goes on
// writing what there is. Only a database that fails leaves something.
const closeHistory = time.Second

// makeHistory makes the history if there is a database for it. It touches none.
func (d *daemon) makeHistory() (err error) {
	c := d.o.Config
	if c.DataDir == "" && c.History.Database == "" {
		return nil
	}
	d.history, err = history.New(history.Options{
		Registry:    d.apps,
		File:        filepath.Join(c.DataDir, config.HistoryFile),
		URL:         c.History.Database,
		BufferBytes: c.History.BufferBytes,
		Log:         d.o.Log,
		Metrics:     d.metrics,
	})
	if err != nil {
		return fmt.Errorf("set up history: %w", err)
	}
	return nil
}

// openHistory opens the file of the history if it is needed.
func (d *daemon) openHistory(ctx context.Context) error {
	if d.history == nil {
		return nil
	}
	return d.history.Open(ctx)
}

// startHistory runs the history and returns how to stop it.
func (d *daemon) startHistory() (stop func() error) {
	if d.history == nil {
		return func() error { return nil }
	}
	ctx, abort := context.WithCancel(context.Background())
	d.background("history", func() error { return d.history.Run(ctx) })
	return func() error {
		defer abort()
		if err := d.withLimit(closeHistory, d.history.Close); err != nil {
			d.o.Log.Error("history lost in stopping", "error", err) // no fault of the stop itself
		}
		return nil
	}
}
