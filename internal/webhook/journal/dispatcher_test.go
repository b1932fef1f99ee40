package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// receiver is an http.RoundTripper in the place of the network. It keeps the
// bodies in the order in which they came, with their signatures.
type receiver struct {
	mu     sync.Mutex
	down   bool // answers 503
	cut    bool // cannot be reached
	bodies []string
}

func (r *receiver) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cut {
		return nil, errors.New("cut off")
	}
	status := http.StatusOK
	if r.down {
		status = http.StatusServiceUnavailable
	}
	r.bodies = append(r.bodies, req.Header.Get("X-Pusher-Signature")+" "+string(body))
	return &http.Response{StatusCode: status, Body: http.NoBody, Request: req}, nil
}

func (r *receiver) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

func (r *receiver) setCut(cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut = cut
}

// requests returns what came, without repetitions.
func (r *receiver) requests() (all []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range r.bodies {
		if !slices.Contains(all, b) {
			all = append(all, b)
		}
	}
	return all
}

// events returns the events of all requests, without those of repeated requests.
func (r *receiver) events() (all []string) {
	for _, request := range r.requests() {
		_, body, _ := strings.Cut(request, " ")
		var hook struct {
			Events []struct {
				Name    string `json:"name"`
				Channel string `json:"channel"`
				UserID  string `json:"user_id"`
				Data    string `json:"data"`
			} `json:"events"`
		}
		if err := json.Unmarshal([]byte(body), &hook); err != nil {
			panic(err)
		}
		for _, e := range hook.Events {
			all = append(all, strings.TrimSpace(e.Name+" "+e.Channel+" "+e.UserID+e.Data))
		}
	}
	return all
}

// node is a journal and a dispatcher, as a process has them.
type node struct {
	t    *testing.T
	path string
	j    *Journal
	d    *webhook.Dispatcher
	app  *apps.App
	ran  chan error
}

type nodeOptions struct {
	path     string
	grace    time.Duration
	joins    bool // other nodes know what was told
	onTold   func(hub.Edge, bool) bool
	endpoint func(*apps.Endpoint)
	log      *testkit.LogCapture
}

func startNode(t *testing.T, r *receiver, o nodeOptions) *node {
	t.Helper()
	app := apps.Defaults()
	app.ID = "1"
	app.Keys = auth.Keys{{Key: "key", Secret: "secret"}}
	endpoint := apps.Endpoint{URL: hookURL, RetryFor: time.Hour}
	for _, name := range hub.NoticeNames {
		endpoint.Events = append(endpoint.Events, string(name))
	}
	if o.endpoint != nil {
		o.endpoint(&endpoint)
	}
	app.Webhooks = []apps.Endpoint{endpoint}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	options := webhook.Options{Registry: registry, GraceDelay: o.grace, Transport: r, OnTold: o.onTold}
	n := &node{t: t, path: o.path, app: &app, ran: make(chan error, 1)}
	if o.log != nil {
		options.Log = o.log.Logger()
	}
	n.j = open(t, o.path, Options{})
	options.Journal, options.Attempts = n.j, n.j
	if n.d, err = webhook.New(options); err != nil {
		t.Fatal(err)
	}
	if o.joins {
		n.d.ForgetAllTold()
	} else {
		n.d.RestoreEdges()
	}
	go func() { n.ran <- n.d.Run(context.Background()) }() //nolint:usetesting // Close ends it
	t.Cleanup(func() { n.stop(0) })
	return n
}

// stop ends the node; it has so long to deliver.
func (n *node) stop(patience time.Duration) {
	n.t.Helper()
	if n.d == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := n.d.Close(ctx); err != nil {
		n.t.Errorf("stop: %v", err)
	}
	if err := <-n.ran; err != nil {
		n.t.Errorf("Run: %v", err)
	}
	if err := n.j.Close(context.Background()); err != nil {
		n.t.Error(err)
	}
	n.d = nil
}

// killed returns the file as it is after kill -9 at this moment.
func (n *node) killed() string {
	n.t.Helper()
	return crash(n.t, n.path)
}

func (n *node) emit(name hub.NoticeName, channel string) {
	n.d.Emit(hub.Notice{App: n.app, Name: name, Channel: protocol.ChannelName(channel)})
}

func (n *node) clientEvent(channel string, i int) {
	n.d.Emit(hub.Notice{
		App: n.app, Name: hub.ClientEventSent, Channel: protocol.ChannelName(channel),
		Event: "client-n", Data: protocol.PayloadOfText(fmt.Sprint(i)), SocketID: "1.2",
	})
}

func (r *receiver) await(t *testing.T, events ...string) {
	t.Helper()
	testkit.WaitFor(t, func() bool { return len(r.events()) >= len(events) }, fmt.Sprint(events))
	want(t, "events", r.events(), events)
}

// awaitSorted is for events of several channels, whose requests come in any order.
func (r *receiver) awaitSorted(t *testing.T, events ...string) {
	t.Helper()
	testkit.WaitFor(t, func() bool { return len(r.events()) >= len(events) }, fmt.Sprint(events))
	want(t, "events", slices.Sorted(slices.Values(r.events())), slices.Sorted(slices.Values(events)))
}

func TestEdgesAlternateOverKills(t *testing.T) {
	const grace = 300 * time.Millisecond
	r := &receiver{}
	n := startNode(t, r, nodeOptions{path: file(t), grace: grace})
	n.emit(hub.ChannelOccupied, "returns")
	n.emit(hub.ChannelOccupied, "stays-away")
	n.d.Emit(hub.Notice{App: n.app, Name: hub.MemberAdded, Channel: "presence-c", UserID: "u"})
	n.emit(hub.ChannelOccupied, "presence-c")
	n.emit(hub.ChannelOccupied, "left")
	r.awaitSorted(t, "channel_occupied returns", "channel_occupied stays-away", "member_added presence-c u",
		"channel_occupied presence-c", "channel_occupied left")
	n.emit(hub.ChannelVacated, "left") // held back at the moment of the kill
	flush(t, n.j)
	path := n.killed()
	n.stop(0)
	after := &receiver{}
	began := time.Now()
	n = startNode(t, after, nodeOptions{path: path, grace: grace})
	n.emit(hub.ChannelOccupied, "returns")
	n.emit(hub.ChannelOccupied, "new")
	testkit.WaitFor(t, func() bool { return len(after.events()) >= 5 }, "the vacated ones")
	if took := time.Since(began); took < grace {
		t.Errorf("vacated after %v, want the whole delay", took)
	}
	got := after.events()
	if member, channel := slices.Index(got, "member_removed presence-c u"), slices.Index(got, "channel_vacated presence-c"); member < 0 || channel < member {
		t.Errorf("events %q, want the member to leave before the channel", got)
	}
	slices.Sort(got)
	want(t, "events", got, []string{
		"channel_occupied new", "channel_vacated left", "channel_vacated presence-c", "channel_vacated stays-away",
		"member_removed presence-c u",
	})
}

// Who shares the telling with other nodes hears what an earlier process had told to
// be on, and when that is told to be off. Nothing else of it is told.
func TestRestoredEdgesAreToldOf(t *testing.T) {
	const grace = 50 * time.Millisecond
	r := &receiver{}
	n := startNode(t, r, nodeOptions{path: file(t), grace: grace})
	n.emit(hub.ChannelOccupied, "returns")
	n.emit(hub.ChannelOccupied, "stays-away")
	flush(t, n.j)
	path := n.killed()
	n.stop(0)
	var mu sync.Mutex
	var told []string
	after := &receiver{}
	n = startNode(t, after, nodeOptions{path: path, grace: grace, onTold: func(e hub.Edge, on bool) bool {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, fmt.Sprint(e.Channel, " ", on))
		return true
	}})
	n.emit(hub.ChannelOccupied, "returns")
	testkit.WaitFor(t, func() bool { return slices.Contains(after.events(), "channel_vacated stays-away") }, "the vacated one")
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(told)
	want(t, "told", told, []string{"returns true", "stays-away false", "stays-away true"})
}

// Where other nodes know what was told, an earlier process of this one has no say.
func TestJoiningForgetsWhatWasTold(t *testing.T) {
	r := &receiver{}
	n := startNode(t, r, nodeOptions{path: file(t)})
	n.emit(hub.ChannelOccupied, "old")
	r.await(t, "channel_occupied old")
	flush(t, n.j)
	path := n.killed()
	n.stop(0)
	after := &receiver{}
	n = startNode(t, after, nodeOptions{path: path, joins: true})
	n.emit(hub.ChannelOccupied, "old")
	n.emit(hub.ChannelOccupied, "new")
	n.emit(hub.ChannelOccupied, "elsewhere")
	after.awaitSorted(t, "channel_occupied elsewhere", "channel_occupied new", "channel_occupied old")
	n.d.ForgetTold(hub.Edge{App: "1", Channel: "elsewhere"})
	flush(t, n.j)
	path = n.killed()
	n.stop(0)
	want(t, "requests", len(after.requests()), 3)
	j := open(t, path, Options{})
	want(t, "told", j.Told(), []hub.Edge{edgeOf("new"), edgeOf("old")})
}

// An endpoint that nobody selects edges for any more has them forgotten.
func TestEdgesThatNobodyWants(t *testing.T) {
	r := &receiver{}
	n := startNode(t, r, nodeOptions{path: file(t)})
	n.emit(hub.ChannelOccupied, "c")
	r.await(t, "channel_occupied c")
	flush(t, n.j)
	path := n.killed()
	n.stop(0)
	n = startNode(t, r, nodeOptions{path: path, endpoint: func(e *apps.Endpoint) { e.Events = []string{"client_event"} }})
	flush(t, n.j)
	path = n.killed()
	n.stop(0)
	j := open(t, path, Options{})
	want(t, "told", j.Told(), []hub.Edge(nil))
}

func TestBatchesOverKills(t *testing.T) {
	batching := func(e *apps.Endpoint) { e.Batching, e.BatchWait = true, 200*time.Millisecond }
	r := &receiver{}
	n := startNode(t, r, nodeOptions{path: file(t), endpoint: batching})
	var events []string
	for i := range 5 {
		n.clientEvent("private-c", i)
		events = append(events, fmt.Sprint("client_event private-c ", i))
	}
	flush(t, n.j)
	path := n.killed()
	if got := r.events(); len(got) != 0 {
		t.Fatalf("sealed before the kill: %q", got)
	}
	n.stop(0)
	after := &receiver{}
	n = startNode(t, after, nodeOptions{path: path, endpoint: batching})
	n.clientEvent("private-c", 5)
	after.await(t, append(events, "client_event private-c 5")...)
	want(t, "requests", len(after.requests()), 1)
}

// What a receiver that is down has not taken goes on after a kill, with the same
// bytes and signature, in order per channel.
func TestRetriesOverKills(t *testing.T) {
	r := &receiver{}
	r.setDown(true)
	n := startNode(t, r, nodeOptions{path: file(t)})
	var events []string
	for i := range 20 {
		n.clientEvent("private-c", i)
		events = append(events, fmt.Sprint("client_event private-c ", i))
	}
	testkit.WaitFor(t, func() bool { return len(r.requests()) > 0 }, "an attempt")
	tried := r.requests()[0]
	flush(t, n.j)
	path := n.killed()
	n.stop(0)
	after := &receiver{}
	n = startNode(t, after, nodeOptions{path: path})
	after.await(t, events...)
	want(t, "the first request", after.requests()[0], tried)
	flush(t, n.j)
	want(t, "left", len(list(t, n.j, Filter{}, Page{})), 0)
}

// A stop leaves what cannot be delivered to the next start and loses nothing.
func TestStopWithABacklog(t *testing.T) {
	r, log := &receiver{}, &testkit.LogCapture{}
	r.setDown(true)
	path := file(t)
	n := startNode(t, r, nodeOptions{path: path, log: log, grace: time.Hour})
	n.clientEvent("private-c", 1)
	testkit.WaitFor(t, func() bool { return len(r.requests()) > 0 }, "an attempt")
	n.emit(hub.ChannelOccupied, "private-c")
	n.emit(hub.ChannelVacated, "private-c")
	began := time.Now()
	n.stop(10 * time.Second)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	want(t, "log", log.Find("webhooks wait for the next start")[0].Attrs["events"], "3")
	r.setDown(false)
	startNode(t, r, nodeOptions{path: path})
	r.await(t, "client_event private-c 1", "channel_occupied private-c", "channel_vacated private-c")
}

// A replayed dead letter is delivered with a new seal that its receiver accepts.
func TestReplayIsDelivered(t *testing.T) {
	r := &receiver{}
	r.setDown(true)
	path := file(t)
	n := startNode(t, r, nodeOptions{path: path})
	n.clientEvent("private-c", 1)
	testkit.WaitFor(t, func() bool { return len(r.requests()) > 0 }, "an attempt")
	n.stop(time.Second)
	old := r.requests()[0]
	j := open(t, path, Options{MaxAge: time.Nanosecond}) // an endpoint that is gone
	testkit.WaitFor(t, func() bool { return j.deadCount.Load() == 1 }, "the payload to be given up")
	shut(t, j)
	after := &receiver{}
	n = startNode(t, after, nodeOptions{path: path})
	if replayed, err := n.j.Replay(t.Context(), Filter{App: "1"}); replayed != 1 || err != nil {
		t.Fatal(replayed, err)
	}
	after.await(t, "client_event private-c 1")
	signature, body, _ := strings.Cut(after.requests()[0], " ")
	if after.requests()[0] == old || !auth.Secret("secret").Verify([]byte(body), signature) {
		t.Errorf("request %q", after.requests()[0])
	}
}

// Channels go on and off at random while processes are killed at random: what
// receivers are told alternates, and in the end is the truth.
func TestRandomEdgesOverKills(t *testing.T) {
	const channels = 4
	r := &receiver{}
	path := file(t)
	random := rand.New(rand.NewPCG(1, 2))
	var on [channels]bool
	toggle := func(n *node, c int) {
		name := hub.ChannelOccupied
		if on[c] {
			name = hub.ChannelVacated
		}
		on[c] = !on[c]
		n.emit(name, fmt.Sprint("c", c))
	}
	for range 8 {
		n := startNode(t, r, nodeOptions{path: path, grace: 15 * time.Millisecond})
		for i := range 60 {
			toggle(n, random.IntN(channels))
			if i%10 == 9 {
				flush(t, n.j) // lets some time pass, too
			}
		}
		r.setCut(true) // the dead tell nothing
		path = n.killed()
		n.stop(0)
		r.setCut(false)
		on = [channels]bool{}
	}
	n := startNode(t, r, nodeOptions{path: path})
	testkit.WaitFor(t, func() bool { return len(list(t, n.j, Filter{}, Page{})) == 0 }, "everything to be told")
	n.stop(0)
	last := make(map[string]string)
	for _, e := range r.events() {
		name, channel, _ := strings.Cut(e, " ")
		if last[channel] == name || last[channel] == "" && name != "channel_occupied" {
			t.Fatalf("%s after %q", e, last[channel])
		}
		last[channel] = name
	}
	for channel, name := range last {
		if name != "channel_vacated" {
			t.Errorf("%s is %s in the end", channel, name)
		}
	}
}
