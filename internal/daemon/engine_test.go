package daemon

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	nats "github.com/nats-io/nats-server/v2/server"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Whoever waits for the ready line is not told that a node serves which ends the
// next moment.
func TestEngineThatCanNeverWork(t *testing.T) {
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	o := options(func(c *config.Config) {
		c.Cluster.Engine, c.Cluster.Listen = config.EngineEmbedded, taken.Addr().String()
	})
	err = Run(t.Context(), o)
	if err == nil || !strings.HasPrefix(err.Error(), "open cluster.listen "+taken.Addr().String()+": ") ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Run: %v, want an error that names the setting and the address", err)
	}
	if out := o.Stdout.(fmt.Stringer).String(); strings.Contains(out, "ready") {
		t.Errorf("printed %q", out)
	}
}

func TestEngineOf(t *testing.T) {
	for url, want := range map[string]string{
		"redis://127.0.0.1:1":                   "redis",
		"valkey://127.0.0.1:1":                  "redis",
		"nats://127.0.0.1:1,nats://127.0.0.1:2": "nats",
		"tls://127.0.0.1:1":                     "nats",
		"nats://u:sesame@127.0.0.1:1?sesame=a":  "",
		config.EngineEmbedded:                   "embedded",
	} {
		c := config.Defaults().Cluster
		c.Engine, c.Listen, c.Seeds = url, "127.0.0.1:6222", []string{"127.0.0.2"}
		engine, err := engineOf(c, nil, options(nil).Log)
		switch {
		case want == "" && (err == nil || strings.Contains(err.Error(), "sesame")):
			t.Errorf("%s: error %v", url, err)
		case want != "" && err != nil:
			t.Errorf("%s: %v", url, err)
		case want != "" && engine.Describe().Engine != want:
			t.Errorf("%s is %+v", url, engine.Describe())
		}
	}
}

// worst returns messages that are as large as what these limits allow can be.
func worst(maxEvent, maxInfo int) map[string][]byte {
	const name = protocol.MaxEventName
	longest := protocol.ChannelName("presence-cache-" + strings.Repeat("x", protocol.MaxChannelName-15))
	app, user := apps.ID(strings.Repeat("1", 200)), strings.Repeat("\u2028", 1000)
	data := protocol.Payload(`"` + strings.Repeat(`\u0061`, maxEvent) + `"`)
	frame := protocol.Event{Name: strings.Repeat("\x01", name), Channel: longest, Data: data, UserID: user}.Encode()
	fill := &hub.CacheFill{Event: strings.Repeat("\x01", name), Data: data}
	event := broker.Event{Relayed: hub.Relayed{App: app, Channel: longest, Frame: frame, Fill: fill}}

	const part = 32 << 10 // of package cluster
	before := strings.Repeat("x", part)
	share := hub.Share{
		ShareKey: hub.ShareKey{Kind: hub.ShareOfMember, App: app, Channel: longest, UserID: user},
		Present:  true, Info: strings.Repeat("x", maxInfo),
	}
	rest := share
	rest.Info = before
	loss := broker.Loss{Channels: slices.Repeat([]broker.ChannelOf{{App: app, Channel: longest}}, 256)}
	message := event.Append(nil, 1)
	return map[string][]byte{
		"event":     message,
		"recovered": (&broker.Recovered{Messages: [][]byte{[]byte(before), message}}).Append(nil, 1),
		"state":     (&broker.State{Shares: []hub.Share{rest, share}}).Append(nil, 1),
		"snapshot": (&broker.Snapshot{
			State: broker.State{Shares: []hub.Share{rest}}, Fills: []hub.Relayed{{App: app, Channel: longest, Fill: fill}},
		}).Append(nil, 1),
		"loss": loss.Append(nil, 1),
	}
}

func TestNoMessageIsLargerThanTheLargest(t *testing.T) {
	for name, limits := range map[string]struct{ event, info int }{
		"by default":   {apps.Defaults().MaxEventBytes, apps.Defaults().MaxUserInfoBytes},
		"little":       {1, 1},
		"large events": {256 << 10, 1},
		"large info":   {1, 256 << 10},
	} {
		app := apps.Defaults()
		app.MaxEventBytes, app.MaxUserInfoBytes = limits.event, limits.info
		small := apps.Defaults()
		small.MaxEventBytes, small.MaxUserInfoBytes = 1, 1
		limit := largestMessage([]*apps.App{&small, &app})
		for kind, message := range worst(limits.event, limits.info) {
			if len(message) > limit {
				t.Errorf("%s: %s of %d bytes, more than %d", name, kind, len(message), limit)
			}
		}
	}
}

// natsServer starts one that takes messages of so many bytes.
func natsServer(t *testing.T, maxPayload int) (url string) {
	t.Helper()
	s, err := nats.NewServer(&nats.Options{
		Host: "127.0.0.1", Port: nats.RANDOM_PORT, NoSigs: true, NoLog: true, MaxPayload: int32(maxPayload),
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	return "nats://" + s.Addr().String()
}

// Whatever the limits of apps allow reaches other nodes over a server that takes just
// that.
func TestLargestEventOverNATS(t *testing.T) {
	defaults := apps.Defaults()
	url := natsServer(t, largestMessage([]*apps.App{&defaults}))
	onNATS := func(o *Options) {
		app := config.DefaultApp()
		app.ID, app.Keys = "1001", []config.Key{{Key: "app-key", Secret: "app-secret"}}
		o.Config.Apps = []config.App{app}
		o.Config.Cluster.Engine = url
	}
	one, two := runNode(t, "one", nil, onNATS), runNode(t, "two", nil, onNATS)
	two.awaitNodes(2)
	conn := one.subscribe("cache-a")
	if m := receive(t, conn); m.Event != "pusher:cache_miss" {
		t.Fatalf("got %+v", m)
	}
	conn.SetReadLimit(1 << 20)
	data := `"` + strings.Repeat(`\u0061`, defaults.MaxEventBytes) + `"`
	two.trigger(`{"name":"my-event","channel":"cache-a","data":` + data + `}`)
	if m := receive(t, conn); m.Event != "my-event" || string(m.Data) != data {
		t.Fatalf("delivered %s with %d bytes", m.Event, len(m.Data))
	}
}

// full is an engine whose server takes no more than it does.
type full struct{ limit int }

var errFull = errors.New("too much")

func (f full) Require(bytes int, _ string) error {
	if bytes > f.limit {
		return errFull
	}
	return nil
}

func TestReloadStaysWithinWhatTheEngineTakes(t *testing.T) {
	o := options(func(c *config.Config) { withApp(c, "first") })
	next := withApp(config.Defaults(), "second")
	next.Apps[0].MaxEventBytes++
	o.Reload = func() (*config.Config, error) { return next, nil }
	d, err := build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	d.fits = full{largestMessage(d.apps.All())}
	if err := d.tryReload(); !errors.Is(err, errFull) {
		t.Errorf("reload with larger events: %v", err)
	}
	if d.apps.ByKey("second") != nil {
		t.Error("the app was taken over")
	}
	next.Apps[0].MaxEventBytes--
	if err := d.tryReload(); err != nil {
		t.Errorf("reload with events as before: %v", err)
	}
}
