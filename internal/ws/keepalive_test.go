package ws

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// inBubble runs a test with fake time.
func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		test(t)
		t.Logf("took %v of fake time", time.Since(start))
	})
}

// reading lets the client read in the background until the connection ends.
func (c *testClient) reading() <-chan int {
	closed := make(chan int, 1)
	go func() {
		_, code := c.readUntilClosed()
		closed <- code
	}()
	return closed
}

func TestKeepAlive(t *testing.T) {
	t.Run("P-042 a silent client is probed by a control ping after its activity timeout", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := serve(t, nil).connect("protocol=7")
			c.reading()
			time.Sleep(120*time.Second - time.Millisecond)
			synctest.Wait()
			if c.pings.Load() != 0 {
				t.Fatalf("%d pings before the timeout", c.pings.Load())
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if c.pings.Load() != 1 {
				t.Fatalf("%d pings after the timeout, want 1", c.pings.Load())
			}
		})
	})
	t.Run("P-043 and P-249 a client that answers control pings alone stays connected", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := serve(t, nil).connect("protocol=5")
			closed := c.reading()
			select {
			case code := <-closed:
				t.Fatalf("closed with %d", code)
			case <-time.After(24*time.Hour + time.Second):
			}
			if c.pings.Load() != 720 { // one every 120 s
				t.Errorf("%d pings in a day, want 720", c.pings.Load())
			}
		})
	})
	t.Run("P-044 a client that answers nothing is closed with 4201 after the pong timeout", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			s := serve(t, nil)
			c := s.connect("protocol=7")
			time.Sleep(150*time.Second - time.Millisecond)
			synctest.Wait()
			if n := s.handler.open.Load(); n != 1 {
				t.Fatal("closed before the pong timeout")
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if frames, code := c.readUntilClosed(); code != 4201 || len(frames) != 0 {
				t.Errorf("closed with %d after %v", code, frames)
			}
		})
	})
	t.Run("P-045 on protocol 5 the 4201 close comes right after its error frame", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := serve(t, nil).connect("protocol=5")
			time.Sleep(151 * time.Second)
			frames, code := c.readUntilClosed()
			if code != 4201 || len(frames) != 1 ||
				string(frames[0].Data) != `{"code":4201,"message":"Pong reply not received"}` {
				t.Errorf("closed with %d after %v", code, frames)
			}
		})
	})
	t.Run("P-046 any inbound frame postpones the next probe by a full timeout", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := serve(t, nil).connect("protocol=7")
			c.reading()
			for range 10 {
				time.Sleep(119 * time.Second)
				c.send(`{"event":"pusher:pong","data":{}}`)
			}
			time.Sleep(119 * time.Second)
			synctest.Wait()
			if c.pings.Load() != 0 {
				t.Errorf("%d pings to a client that spoke every 119 s", c.pings.Load())
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if c.pings.Load() != 1 {
				t.Errorf("%d pings 121 s after the last frame, want 1", c.pings.Load())
			}
		})
	})
	t.Run("P-046 a control ping counts as a frame", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := serve(t, nil).connect("protocol=7")
			c.reading()
			for range 3 {
				time.Sleep(100 * time.Second)
				if err := c.conn.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if c.pings.Load() != 0 {
				t.Errorf("%d probes of a client that pings every 100 s", c.pings.Load())
			}
		})
	})
	t.Run("P-047 a ping a second for a minute is answered and harmless", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := serve(t, nil).connect("protocol=5")
			closed := c.reading()
			for range 60 {
				time.Sleep(time.Second)
				if err := c.conn.Ping(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case code := <-closed:
				t.Errorf("closed with %d", code)
			default:
			}
		})
	})
	t.Run("with a long pong timeout an answered probe is repeated after the activity timeout", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := serve(t, func(app *apps.App, _ *Options) {
				app.ActivityTimeout, app.PongTimeout = time.Second, time.Minute
			}).connect("protocol=7")
			c.reading()
			time.Sleep(10*time.Second + 500*time.Millisecond)
			synctest.Wait()
			if c.pings.Load() != 10 {
				t.Errorf("%d pings in 10 s, want 10", c.pings.Load())
			}
		})
	})
}

func TestAuthorizedConnections(t *testing.T) {
	authorized := func(app *apps.App, _ *Options) { app.AuthorizedConnections = true }
	t.Run("P-165 a connection that never authenticates is closed with 4009 after the timeout", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			start := time.Now()
			c := serve(t, authorized).connect("protocol=7")
			if _, code := c.readUntilClosed(); code != 4009 || time.Since(start) != 30*time.Second {
				t.Errorf("closed with %d after %v", code, time.Since(start))
			}
		})
	})
	t.Run("P-166 a public subscription and a failed attempt do not prevent it", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := serve(t, authorized).connect("protocol=7")
			c.send(`{"event":"pusher:subscribe","data":{"channel":"public"}}`)
			c.send(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"k:bad"}}`)
			if _, code := c.readUntilClosed(); code != 4009 {
				t.Errorf("closed with %d", code)
			}
		})
	})
}
