package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var allNames = []string{
	"channel_occupied", "channel_vacated", "member_added", "member_removed",
	"client_event", "cache_miss", "subscription_count",
}

const (
	testKey    = "278d425bdf160c739803"
	testSecret = auth.Secret("7ad3773142a6692b25b8")
	hookURL    = "http://hooks.example/in"
)

// newApp returns an app with one key and the given endpoints; an endpoint that
// selects nothing selects everything.
func newApp(id apps.ID, endpoints ...apps.Endpoint) *apps.App {
	app := apps.Defaults()
	app.ID = id
	app.Keys = auth.Keys{{Key: testKey, Secret: testSecret}}
	for _, e := range endpoints {
		if e.Events == nil {
			e.Events = allNames
		}
		app.Webhooks = append(app.Webhooks, e)
	}
	return &app
}

func edgeNotice(app *apps.App, name hub.NoticeName, channel, user string) hub.Notice {
	return hub.Notice{App: app, Name: name, Channel: protocol.ChannelName(channel), UserID: user}
}

func clientEvent(app *apps.App, channel string, n int) hub.Notice {
	return hub.Notice{
		App: app, Name: hub.ClientEventSent, Channel: protocol.ChannelName(channel),
		Event: "client-n", Data: protocol.PayloadOfText(fmt.Sprint(n)), SocketID: "1.2",
	}
}

// request is one attempt as a receiver saw it.
type request struct {
	at     time.Time
	url    string
	header http.Header
	body   string
	hook   libraryWebhook
}

// number returns the number of a client event.
func (r request) number() int {
	n, err := strconv.Atoi(r.hook.Events[0].Data)
	if err != nil {
		panic(err) // not a request of clientEvent
	}
	return n
}

// libraryWebhook and libraryEvent have the fields and types of the official Go
// server library.
type libraryWebhook struct {
	TimeMs int            `json:"time_ms"`
	Events []libraryEvent `json:"events"`
}

type libraryEvent struct {
	Name     string `json:"name"`
	Channel  string `json:"channel"`
	Event    string `json:"event"`
	Data     string `json:"data"`
	SocketID string `json:"socket_id"`
	UserID   string `json:"user_id"`
}

func (e libraryEvent) String() string {
	return strings.Join(slices.DeleteFunc([]string{e.Name, e.Channel, e.UserID, e.Data}, func(s string) bool { return s == "" }), " ")
}

// receiver is an http.RoundTripper in the place of the network. Each attempt is
// recorded when it starts and answered by answer, 200 if that is nil.
type receiver struct {
	answer     func(r request) (int, error)
	retryAfter string // of answers, if any

	mu  sync.Mutex
	got []request
}

var errHang = errors.New("hang")

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	seen := request{at: time.Now(), url: req.URL.String(), header: maps.Clone(req.Header), body: string(body)}
	if err := json.Unmarshal(body, &seen.hook); err != nil {
		return nil, err
	}
	r.mu.Lock()
	r.got = append(r.got, seen)
	r.mu.Unlock()
	status := http.StatusOK
	if r.answer != nil {
		if status, err = r.answer(seen); errors.Is(err, errHang) {
			<-req.Context().Done()
			err = req.Context().Err()
		}
	}
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	if r.retryAfter != "" {
		header.Set("Retry-After", r.retryAfter)
	}
	return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: req}, nil
}

func (r *receiver) requests() []request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

// events returns the events of all attempts, in the order of the attempts.
func (r *receiver) events() []string {
	var all []string
	for _, req := range r.requests() {
		for _, e := range req.hook.Events {
			all = append(all, e.String())
		}
	}
	return all
}

// start runs a dispatcher until the end of the test.
func start(t *testing.T, o Options) *Dispatcher {
	t.Helper()
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	run(t, d)
	return d
}

func run(t *testing.T, d *Dispatcher) {
	t.Helper()
	ran := make(chan error, 1)
	go func() { ran <- d.Run(context.Background()) }() //nolint:usetesting // t.Context ends before cleanups begin
	for range 2 {                                      // the second finds room once Run has taken the first
		d.wake <- struct{}{}
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = d.Close(ended) // tests that care have closed it before
		if err := <-ran; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
}

func registryOf(t *testing.T, all ...*apps.App) *apps.Registry {
	t.Helper()
	r, err := apps.NewRegistry(all...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantEvents(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("events\n got %q\nwant %q", got, want)
	}
}

// hook returns an endpoint at hookURL.
func hook() apps.Endpoint { return apps.Endpoint{URL: hookURL} }

// serialHook returns an endpoint that gets one request at a time, so that all its
// events come in order, whatever their channels.
func serialHook() apps.Endpoint { return apps.Endpoint{URL: hookURL, MaxInFlight: 1} }

func contextThatEnded(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}
