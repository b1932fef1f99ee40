package chaos

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
)

const (
	steadyChannels = 4
	steadyPace     = 80 * time.Millisecond // of each channel
)

// filler makes events as long as those of real chats.
var filler = strings.Repeat("x", 200)

// sender is a client that sends on one channel at a steady pace.
type sender struct {
	pair
	pong chan struct{} // capacity 1: the server has read all that was sent before

	mu    sync.Mutex
	times []time.Time // when event i+1 was sent
	fault string
}

func newSender(channel string) *sender {
	return &sender{pair: pair{channel: channel}, pong: make(chan struct{}, 1)}
}

// run sends until ctx ends.
func (s *sender) run(ctx context.Context, address string) {
	if err := s.send(ctx, address); err != nil {
		s.blame(err.Error())
	}
}

func (s *sender) send(ctx context.Context, address string) error {
	c, err := s.join(ctx, address, "sender")
	if err != nil {
		return err
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer func() { _ = c.CloseNow() }()
	reading.Go(func() { s.listen(context.WithoutCancel(ctx), c) })
	pace := time.NewTicker(steadyPace)
	defer pace.Stop()
	for n := 1; ; n++ {
		select {
		case <-pace.C:
		case <-ctx.Done():
			return s.finish(context.WithoutCancel(ctx), c)
		}
		text := fmt.Sprintf(`{"event":"client-n","channel":%q,"data":%q}`, s.channel, data(n))
		s.mu.Lock()
		s.times = append(s.times, time.Now())
		s.mu.Unlock()
		// Not ctx: an event is sent as a whole or not at all.
		if err := c.Write(context.WithoutCancel(ctx), websocket.MessageText, []byte(text)); err != nil {
			return err
		}
	}
}

// finish returns when the server has read everything. It might not if the
// connection just ended.
func (s *sender) finish(ctx context.Context, c *websocket.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"event":"pusher:ping","data":{}}`)); err != nil {
		return err
	}
	select {
	case <-s.pong:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// listen reads until the end of the connection. What the server refuses has not
// been sent.
func (s *sender) listen(ctx context.Context, c *websocket.Conn) {
	for {
		f, err := next(ctx, c)
		if err != nil {
			return
		}
		switch f.Event {
		case "pusher:error":
			s.blame("the server answered " + string(f.Data))
		case "pusher:pong":
			s.pong <- struct{}{}
		}
	}
}

func (s *sender) blame(fault string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = fault
}

func data(n int) string { return fmt.Sprint(n, " ", filler) }

func (s *sender) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.times)
}

// at returns when an event was sent, the zero time if it was not.
func (s *sender) at(n int) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < 1 || n > len(s.times) {
		return time.Time{}
	}
	return s.times[n-1]
}
