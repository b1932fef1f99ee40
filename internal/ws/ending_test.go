package ws

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

const (
	opText    = 0x1
	opUnknown = 0x3
	opClose   = 0x8
	opPing    = 0x9
)

// Whatever a peer does last, it cannot keep its connection by not reading.
func TestDeafPeerCannotHoldItsConnection(t *testing.T) {
	for name, op := range map[string]byte{"that sends a close frame": opClose, "that breaks the protocol": opUnknown} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := serve(t, nil)
				c := s.dialRaw() // reads nothing more
				if err := c.send(op, ""); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Second) // the write side's grace and the read side's
				synctest.Wait()
				if n := s.handler.open.Load(); n != 0 {
					t.Error("the connection is still open")
				}
			})
		})
	}
}

func TestPongsToASlowConsumer(t *testing.T) { // P-060 for what the library writes
	inBubble(t, func(t *testing.T) {
		s := serve(t, func(app *apps.App, _ *Options) { app.BacklogBytes = 1 << 10 })
		c := s.dialRaw() // reads nothing more
		go func() {
			for c.send(opPing, strings.Repeat("p", 100)) == nil {
			}
		}()
		synctest.Wait()
		if n := testutil.ToFloat64(metric{s.hub, "pipesocketd_slow_consumers_closed_total"}); n != 1 {
			t.Errorf("%v slow consumers are counted, want 1", n)
		}
		_ = c.conn.Close()
	})
}

// metric is one metric of a collector.
type metric struct {
	of   prometheus.Collector
	name string
}

// Describe implements prometheus.Collector.
func (m metric) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements prometheus.Collector.
func (m metric) Collect(ch chan<- prometheus.Metric) {
	all := make(chan prometheus.Metric, 100)
	m.of.Collect(all)
	close(all)
	for one := range all {
		if strings.Contains(one.Desc().String(), `"`+m.name+`"`) {
			ch <- one
		}
	}
}

func TestViolationEndsSubscriptionsAtOnce(t *testing.T) { // P-098
	inBubble(t, func(t *testing.T) {
		s := serve(t, nil)
		c := s.dialRaw()
		c.read() // but it does not close its side, so the connection lingers
		if err := c.send(opText, `{"event":"pusher:subscribe","data":{"channel":"x"}}`); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := s.hub.Channel(s.app, "x").Subscriptions; n != 1 {
			t.Fatalf("%d subscriptions, want 1", n)
		}
		if err := c.send(opUnknown, ""); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := s.hub.Channel(s.app, "x").Subscriptions; n != 0 {
			t.Errorf("%d subscriptions after the violation", n)
		}
	})
}

func TestRefusalsOfTheHubAreCounted(t *testing.T) { // P-018
	inBubble(t, func(t *testing.T) {
		s := serve(t, func(app *apps.App, _ *Options) { app.MaxConnections = 1 })
		s.connect("protocol=7").reading()
		if _, code := s.dial("protocol=7").readUntilClosed(); code != protocol.CodeOverQuota {
			t.Fatalf("closed with %d, want 4004", code)
		}
		synctest.Wait()
		if n := testutil.ToFloat64(metric{s.handler, "pipesocketd_connections_refused_total"}); n != 1 {
			t.Errorf("%v refusals are counted, want 1", n)
		}
	})
}

func TestOneLargeEventDoesNotMakeASlowConsumer(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := serve(t, func(app *apps.App, _ *Options) { app.BacklogBytes = 1 << 10 })
		c := s.connect("protocol=7")
		c.send(`{"event":"pusher:subscribe","data":{"channel":"x"}}`)
		c.receive()
		c.conn.SetReadLimit(-1)
		data := strings.Repeat("x", 10_000)
		s.hub.Publish(s.app, hub.Publication{Channel: "x", Event: "e", Data: protocol.PayloadOfText(data)})
		if m := c.receive(); m.Event != "e" || len(m.Data) != len(data)+2 {
			t.Errorf("received %s with %d bytes", m.Event, len(m.Data))
		}
		_ = c.conn.CloseNow()
	})
}

func TestFailedUpgradeIsNotCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := serve(t, nil)
		conn, err := s.listener.dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		c := &rawClient{t: t, conn: conn}
		if err := c.write([]byte("GET /app/k?protocol=7 HTTP/1.1\r\nHost: memory\r\nUpgrade: websocket\r\n\r\n")); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 4<<10)); err != nil { // 426: no Connection header
			t.Fatal(err)
		}
		_ = conn.Close()
		synctest.Wait()
		s.handler.Drain(t.Context(), 0) // would wait for it
		if n := s.handler.open.Load(); n != 0 {
			t.Errorf("%d connections are counted", n)
		}
	})
}
