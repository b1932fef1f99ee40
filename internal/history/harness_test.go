package history

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) {
	if file := os.Getenv(childFile); file != "" {
		writeUntilKilled(file)
	}
	testkit.Main(m)
}

// fixture is a log with the apps 1 and 2, whose channels are all kept.
type fixture struct {
	t        testing.TB
	registry *apps.Registry
	log      *Log
	capture  *testkit.LogCapture
	metrics  *prometheus.Registry
	ended    chan error // of Run
}

// newFixture makes a log that does not run yet.
func newFixture(t testing.TB, s store, change ...func(*Options)) *fixture {
	t.Helper()
	f := &fixture{t: t, capture: &testkit.LogCapture{}, metrics: prometheus.NewRegistry(), ended: make(chan error, 1)}
	var err error
	if f.registry, err = apps.NewRegistry(newApp("1", nil), newApp("2", nil)); err != nil {
		t.Fatal(err)
	}
	o := Options{Registry: f.registry, Log: f.capture.Logger(), Metrics: f.metrics}
	for _, c := range change {
		c(&o)
	}
	if f.log, err = newLog(o, s); err != nil {
		t.Fatal(err)
	}
	return f
}

func newApp(id apps.ID, change func(*apps.History)) *apps.App {
	app := apps.Defaults()
	app.ID = id
	everything, _ := protocol.ParseChannelGlob("*")
	app.History = apps.History{Channels: []*protocol.ChannelGlob{everything}} // without bounds
	if change != nil {
		change(&app.History)
	}
	return &app
}

// sqliteFile is a store in a file of the test.
func sqliteFile(t testing.TB) *sqliteStore {
	t.Helper()
	return &sqliteStore{path: filepath.Join(t.TempDir(), "history.db")}
}

// run opens the log and runs it until the end of the test, or until close.
func (f *fixture) run() {
	f.t.Helper()
	if err := f.log.Open(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(f.t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); f.ended <- f.log.Run(ctx) }()
	f.t.Cleanup(func() { cancel(); <-done })
	for !f.begun() {
		runtime.Gosched()
	}
}

func (f *fixture) begun() bool {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	return f.log.abort != nil
}

// close closes the log and fails the test if something was left.
func (f *fixture) close() {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.t.Context()), 20*time.Second)
	defer cancel()
	if err := f.log.Close(ctx); err != nil {
		f.t.Fatal(err)
	}
	if err := <-f.ended; err != nil {
		f.t.Fatal(err)
	}
}

// limit replaces the bounds of an app.
func (f *fixture) limit(id apps.ID, change func(*apps.History)) {
	f.t.Helper()
	var all []*apps.App
	for _, app := range f.registry.All() {
		if app.ID == id {
			app = newApp(id, change)
		}
		all = append(all, app)
	}
	if err := f.registry.Replace(all...); err != nil {
		f.t.Fatal(err)
	}
}

// append appends an event of app 1.
func (f *fixture) append(channel, name, data string) {
	f.appendTo("1", protocol.Event{Channel: protocol.ChannelName(channel), Name: name, Data: protocol.PayloadOfText(data)}, "")
}

func (f *fixture) appendTo(id apps.ID, e protocol.Event, socketID protocol.SocketID) {
	f.log.Append(hub.Accepted{App: f.registry.ByID(id), Channel: e.Channel, Frame: e.Encode(), SocketID: socketID})
}

// page asks for events of app 1, newest first unless told otherwise, and fails the
// test if there is no answer.
func (f *fixture) page(channel string, change ...func(*hub.HistoryQuery)) hub.HistoryPage {
	f.t.Helper()
	q := hub.HistoryQuery{App: "1", Channel: protocol.ChannelName(channel), Limit: 100}
	for _, c := range change {
		c(&q)
	}
	page, err := f.log.Page(f.t.Context(), q)
	if err != nil {
		f.t.Fatal(err)
	}
	return page
}

func oldestFirst(q *hub.HistoryQuery) { q.OldestFirst = true }

func limited(n int) func(*hub.HistoryQuery) {
	return func(q *hub.HistoryQuery) { q.Limit = n }
}

func after(cursor string) func(*hub.HistoryQuery) {
	return func(q *hub.HistoryQuery) { q.Cursor = cursor }
}

// names returns the names of a page's events, joined by spaces.
func names(p hub.HistoryPage) string {
	var all []string
	for _, e := range p.Events {
		all = append(all, e.Name)
	}
	return strings.Join(all, " ")
}

// metric returns the sum of a metric over all its labels, of which each of labels
// must have the given value.
func (f *fixture) metric(name string, labels ...string) float64 {
	f.t.Helper()
	families, err := f.metrics.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	var sum float64
	for _, family := range families {
		if family.GetName() != "pipesocketd_history_"+name {
			continue
		}
	next:
		for _, m := range family.GetMetric() {
			for _, want := range labels {
				found := false
				for _, label := range m.GetLabel() {
					found = found || fmt.Sprintf("%s=%s", label.GetName(), label.GetValue()) == want
				}
				if !found {
					continue next
				}
			}
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

func query(channel string) *hub.HistoryQuery {
	return &hub.HistoryQuery{App: "1", Channel: protocol.ChannelName(channel), Limit: 100}
}
