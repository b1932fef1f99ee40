package ws

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestDrainSpreadsCloses(t *testing.T) {
	for _, c := range []struct {
		name        string
		connections int
		window      time.Duration
		want        time.Duration // from the first close to the last
	}{
		{"evenly over the window", 40, 2 * time.Second, 1950 * time.Millisecond},
		{"few connections take less", 5, 10 * time.Second, 400 * time.Millisecond},
		{"one is closed at once", 1, 10 * time.Second, 0},
		{"no window, no pauses", 10, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := serve(t, nil)
				var closed []<-chan int
				for range c.connections {
					closed = append(closed, s.connect("protocol=7").reading())
				}
				gone := s.connect("protocol=7") // ends before its turn and costs none
				_ = gone.conn.CloseNow()
				synctest.Wait()
				start := time.Now()
				s.handler.Drain(t.Context(), c.window)
				if took := time.Since(start); took != c.want {
					t.Errorf("took %v, want %v", took, c.want)
				}
				for _, code := range closed {
					if code := <-code; code != 4200 { // P-059
						t.Errorf("closed with %d", code)
					}
				}
			})
		})
	}
	t.Run("a peer that does not answer is dropped after its grace", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			s := serve(t, nil)
			s.connect("protocol=7") // reads nothing more
			start := time.Now()
			s.handler.Drain(t.Context(), time.Second)
			if took := time.Since(start); took != 5*time.Second {
				t.Errorf("took %v, want the 5 s of the close handshake", took)
			}
		})
	})
	t.Run("connections that come during the drain are told to go elsewhere", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			s := serve(t, nil)
			s.handler.Drain(t.Context(), time.Second)
			if _, code := s.dial("protocol=7").readUntilClosed(); code != 4200 {
				t.Errorf("closed with %d, want 4200", code)
			}
		})
	})
}
