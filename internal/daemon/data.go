package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/webhook/journal"
)

// closeFiles is the time limit for writing what is left when the process stops:
// with flushKept no more than flushWebhooks.
const closeFiles = flushWebhooks - flushKept

// data is what the data directory holds.
type data struct {
	lock     *os.File // held as long as the process uses the directory
	webhooks *journal.Journal
}

// openData opens the data directory.
func openData(ctx context.Context, o Options, m prometheus.Registerer) (*data, error) {
	dir, c := o.Config.DataDir, o.Config.Webhooks
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make data_dir: %w", err)
	}
	lock, err := lockFile(filepath.Join(dir, "pipesocketd.lock"))
	if err != nil {
		return nil, fmt.Errorf("lock data_dir %s: %w", dir, err)
	}
	webhooks, err := journal.Open(ctx, filepath.Join(dir, "webhooks.db"), journal.Options{
		Log:        o.Log,
		Metrics:    m,
		MaxBytes:   int64(c.TotalBytes),
		MaxAge:     c.QueueAge,
		DeadBytes:  int64(c.DeadBytes),
		DeadAge:    c.KeepDead,
		AttemptAge: c.KeepAttempts,
	})
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &data{lock: lock, webhooks: webhooks}, nil
}

// closeData closes the data directory, once nothing uses it any more.
func (d *daemon) closeData() error {
	if d.data == nil {
		return nil
	}
	defer func() { _ = d.data.lock.Close() }()
	return d.withLimit(closeFiles, d.data.webhooks.Close)
}

var errInUse = errors.New("another process uses it")

// details tells what an operator should know of a server that does its work.
func (d *daemon) details() []string {
	var all []string
	switch {
	case d.data != nil:
		all = d.data.webhooks.Faults()
	case d.sendsWebhooks():
		all = []string{"webhooks are kept in memory only (data_dir is not set)"}
	}
	if d.node != nil && d.others() == 0 {
		all = append(all, "cluster: no other node is known, this one serves alone")
	}
	return all
}

// sendsWebhooks reports whether an app has a receiver now.
func (d *daemon) sendsWebhooks() bool {
	return slices.ContainsFunc(d.apps.All(), func(a *apps.App) bool { return len(a.Webhooks) > 0 })
}
