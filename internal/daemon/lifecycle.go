package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// Time limits of the steps of a graceful stop. With the default drain window of
// 10 s the whole stays within the 30 s that orchestrators give by default; leaving a
// cluster may take 3 s more.
const (
	closeHandshakes = 5 * time.Second // after the drain window, for peers to answer
	flushWebhooks   = 10 * time.Second
	flushKept       = 5 * time.Second // of webhooks that a data directory keeps
	closeServers    = 2 * time.Second
)

// teardown is a stack of things to undo.
type teardown []func() error

func (t *teardown) push(f func() error) { *t = append(*t, f) }

func (t *teardown) run() error {
	var errs []error
	for _, undo := range slices.Backward(*t) {
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}

// start runs every part; the public listener comes last, once the node has joined
// its cluster, or when hurry is closed. If it can never join one, that is the error, and
// nothing is served. The returned function stops what runs.
func (d *daemon) start(hurry <-chan struct{}) (stop func() error, err error) {
	var undo teardown
	stop = func() error {
		err := undo.run()
		d.running.Wait()
		return err
	}
	undo.push(d.closeData)
	undo.push(d.serveHTTP("ops", d.opsServer(), d.ops))

	undo.push(d.startHistory())

	hubCtx, stopHub := context.WithCancel(context.Background())
	d.background("hub", func() error { return d.hub.Run(hubCtx) })
	undo.push(func() error { stopHub(); return nil })

	webhookCtx, abortWebhooks := context.WithCancel(context.Background())
	d.background("webhooks", func() error { return d.webhooks.Run(webhookCtx) })
	undo.push(func() error {
		defer abortWebhooks()
		if err := d.withLimit(d.flushLimit(), d.webhooks.Close); err != nil {
			d.o.Log.Error("webhooks lost in stopping", "error", err) // no fault of the stop itself
		}
		return nil
	})

	undo.push(d.startCluster())
	if err := d.awaitCluster(hurry); err != nil {
		undo.push(d.public.Close)
		return stop, err
	}

	undo.push(func() error { d.sockets.Wait(); return nil })
	undo.push(d.serveHTTP("public", d.publicServer(), d.public))
	undo.push(func() error {
		return d.withLimit(d.o.Config.DrainWindow+closeHandshakes, func(ctx context.Context) error {
			d.sockets.Drain(ctx, d.o.Config.DrainWindow)
			return nil
		})
	})
	undo.push(func() error { d.ready.drain(); return nil })
	d.ready.open()
	return stop, nil
}

// flushLimit returns how long webhooks may be delivered while stopping. Those that
// the next process will find need no patience.
func (d *daemon) flushLimit() time.Duration {
	if d.data != nil {
		return flushKept
	}
	return flushWebhooks
}

// serve waits for the end: of ctx, or of a part that failed, whose error it
// returns. Meanwhile it reloads when asked to.
func (d *daemon) serve(ctx context.Context, hangup <-chan os.Signal) error {
	for {
		select {
		case <-ctx.Done():
			d.o.Log.Info("stopping", "drain_window", d.o.Config.DrainWindow.String())
			return nil
		case err := <-d.failed:
			d.o.Log.Error("part failed, stopping", "error", err)
			return err
		case <-hangup:
			d.reload()
		}
	}
}

// background runs a part until its work is done.
func (d *daemon) background(name string, run func() error) {
	d.running.Go(func() {
		if err := run(); err != nil && !errors.Is(err, context.Canceled) {
			d.failed <- fmt.Errorf("%s: %w", name, err)
		}
	})
}

// withLimit runs a step of the stop for at most limit, or until it is forced.
func (d *daemon) withLimit(limit time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if d.o.Force != nil {
		done := make(chan struct{})
		defer close(done)
		d.running.Go(func() {
			select {
			case <-d.o.Force:
				cancel()
			case <-done:
			}
		})
	}
	return step(ctx)
}
