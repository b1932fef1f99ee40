package daemon

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// hooks is a receiver of webhooks.
type hooks struct {
	*httptest.Server
	mu     sync.Mutex
	events []string
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Events []struct{ Name, Channel string }
		}
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(text, &body)
		}
		if err != nil {
			t.Errorf("webhook %q: %v", text, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, e := range body.Events {
			h.events = append(h.events, e.Name+" "+e.Channel)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// withHooks has an app report occupied and vacated.
func withHooks(h *hooks, grace time.Duration, dir string) func(*Options) {
	return func(o *Options) {
		o.Config.DataDir = dir
		o.Config.Webhooks.GraceDelay = grace
		o.Config.Webhooks.AllowAddresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		app := config.DefaultApp()
		app.ID, app.Keys = "1001", []config.Key{{Key: "app-key", Secret: "app-secret"}}
		hook := config.DefaultWebhook()
		hook.URL, hook.Events = h.URL, []string{"channel_occupied", "channel_vacated"}
		app.Webhooks = []config.Webhook{hook}
		o.Config.Apps = []config.App{app}
	}
}

// One node tells of each edge, and clients that come back to another node while
// theirs stops were never gone.
func TestWebhooksOverAStop(t *testing.T) {
	const channels = 20
	h := newHooks(t)
	network := memory.New(memory.Options{})
	grace := withHooks(h, 3*time.Second, "")
	one, two := runNode(t, "one", network.Engine(), grace), runNode(t, "two", network.Engine(), grace)
	two.awaitNodes(2)
	one.awaitNodes(2)
	var want []string
	var conns []*websocket.Conn
	for i := range channels {
		conns = append(conns, one.subscribe(fmt.Sprint("c", i)))
		want = append(want, fmt.Sprint("channel_occupied c", i))
	}
	conns = append(conns, one.subscribe("gone"))
	want = append(want, "channel_occupied gone")
	one.end(conns...)
	for i := range channels {
		two.subscribe(fmt.Sprint("c", i))
	}
	want = append(want, "channel_vacated gone")
	testkit.WaitFor(t, func() bool { return len(h.got()) >= len(want) }, "the webhooks")
	got := h.got()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("told\n%q\nwant\n%q", got, want)
	}
}

// What an earlier process has told to be on is taken up by the first node only:
// later ones hear from it what is.
func TestToldEdgesOverARestart(t *testing.T) {
	h := newHooks(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	network := memory.New(memory.Options{})
	one := runNode(t, "one", network.Engine(), withHooks(h, 0, dirs[0]))
	conn := one.subscribe("stays")
	testkit.WaitFor(t, func() bool { return slices.Equal(h.got(), []string{"channel_occupied stays"}) }, "the first webhook")
	two := runNode(t, "two", network.Engine(), withHooks(h, 0, dirs[1]))
	two.awaitNodes(2)
	two.subscribe("stays")
	one.occupied("stays") // which is answered when it has heard of that
	one.end(conn)
	two.awaitNodes(1)
	one = runNode(t, "one", network.Engine(), withHooks(h, 0, dirs[0]))
	one.awaitNodes(2)
	two.awaitNodes(2)
	one.subscribe("last")
	testkit.WaitFor(t, func() bool { return slices.Contains(h.got(), "channel_occupied last") }, "the last webhook")
	if got := h.got(); len(got) != 2 {
		t.Errorf("told %q", got)
	}
}
