package journal

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// answering answers 200 in the place of the network and counts.
type answering struct{ requests atomic.Int64 }

func (a *answering) RoundTrip(req *http.Request) (*http.Response, error) {
	if _, err := io.Copy(io.Discard, req.Body); err != nil {
		return nil, err
	}
	a.requests.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: req}, nil
}

// BenchmarkSustained emits 20,000 notices a second for the time of the benchmark,
// with and without a journal, and tells how long the hub is held up by one, and
// when a notice is safe.
func BenchmarkSustained(b *testing.B) {
	for _, batching := range []bool{true, false} {
		for _, durable := range []bool{false, true} {
			b.Run(fmt.Sprintf("batching=%v/journal=%v", batching, durable), func(b *testing.B) {
				sustained(b, batching, durable)
			})
		}
	}
}

const (
	noticesPerTick = 20
	tick           = time.Millisecond
)

func sustained(b *testing.B, batching, durable bool) {
	b.Helper()
	app := apps.Defaults()
	app.ID = "1"
	app.Keys = auth.Keys{{Key: "key", Secret: "secret"}}
	app.Webhooks = []apps.Endpoint{{URL: hookURL, Events: []string{"client_event"}, Batching: batching}}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		b.Fatal(err)
	}
	receiver := &answering{}
	o := webhook.Options{Registry: registry, Transport: receiver, QueueBytes: 1 << 30}
	var j *Journal
	if durable {
		j = open(b, file(b), Options{})
		o.Journal, o.Attempts = j, j
	}
	d, err := webhook.New(o)
	if err != nil {
		b.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- d.Run(context.Background()) }() //nolint:usetesting // Close ends it
	stop := make(chan struct{})
	safe := make(chan []time.Duration, 1)
	go func() { safe <- sampleSafety(b, j, stop) }()
	took := emitSteadily(b, d, &app)
	close(stop)
	if commits := <-safe; len(commits) > 0 {
		b.ReportMetric(percentile(commits, 50).Seconds()*1e3, "p50-ms-safe")
		b.ReportMetric(percentile(commits, 99).Seconds()*1e3, "p99-ms-safe")
	}
	if err := d.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := <-ran; err != nil {
		b.Fatal(err)
	}
	if j != nil {
		shut(b, j)
	}
	b.ReportMetric(float64(percentile(took, 50).Nanoseconds()), "p50-ns-emit")
	b.ReportMetric(float64(percentile(took, 99).Nanoseconds()), "p99-ns-emit")
	b.ReportMetric(float64(receiver.requests.Load()), "requests")
}

func emitSteadily(b *testing.B, d *webhook.Dispatcher, app *apps.App) (took []time.Duration) {
	b.Helper()
	pace := time.NewTicker(tick)
	defer pace.Stop()
	n := hub.Notice{
		App: app, Name: hub.ClientEventSent, Event: "client-n", SocketID: "1.2",
		Data: protocol.PayloadOfText(string(make([]byte, 100))),
	}
	for i := 0; b.Loop(); i++ {
		if i%noticesPerTick == 0 {
			<-pace.C
		}
		n.Channel = protocol.ChannelName(fmt.Sprint("private-", i%1000))
		began := time.Now()
		d.Emit(n)
		took = append(took, time.Since(began))
	}
	return took
}

// sampleSafety measures again and again after how long what was emitted up to a
// moment is committed.
func sampleSafety(b *testing.B, j *Journal, stop <-chan struct{}) (all []time.Duration) {
	b.Helper()
	if j == nil {
		return nil
	}
	pace := time.NewTicker(7 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return all
		case <-pace.C:
		}
		began := time.Now()
		if err := j.settle(b.Context()); err != nil {
			b.Error(err)
			return all
		}
		all = append(all, time.Since(began))
	}
}

func percentile(all []time.Duration, p int) time.Duration {
	slices.Sort(all)
	return all[(len(all)-1)*p/100]
}
