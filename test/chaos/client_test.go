package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

const presence = "presence-chaos"

// pair is two clients of one channel of theirs: what one sends the other sees.
// Both are in the presence channel too.
type pair struct {
	channel string
	target  *atomic.Pointer[target] // nil while no server runs
	sent    int                     // the number of the last event

	mu   sync.Mutex
	seen map[int]sighting
}

// target is a server process to connect to.
type target struct {
	address string
	life    int // how many ran before it
}

// sighting is when, and from which server, the other client has got an event.
type sighting struct {
	at   time.Time
	life int
}

// run connects and sends until ctx ends, again after each end of the server.
func (p *pair) run(ctx context.Context) {
	for ctx.Err() == nil {
		if to := p.target.Load(); to != nil {
			p.session(ctx, *to)
		}
		pause(ctx, rand.N(400*time.Millisecond)) // so that some return within the delay and some do not
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// session ends with the first failure, with the server.
func (p *pair) session(parent context.Context, to target) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	observer, err := p.join(ctx, to.address, "observer")
	if err != nil {
		return
	}
	defer func() { _ = observer.CloseNow() }()
	sender, err := p.join(ctx, to.address, "sender")
	if err != nil {
		return
	}
	defer func() { _ = sender.CloseNow() }()
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	reading.Go(func() { p.observe(ctx, observer, to.life); cancel() })
	reading.Go(func() { p.discard(ctx, sender); cancel() })
	until := time.Now().Add(rand.N(3 * time.Second)) // then it leaves and returns
	for ctx.Err() == nil && time.Now().Before(until) {
		p.sent++
		text := fmt.Sprintf(`{"event":"client-n","channel":%q,"data":"%d"}`, p.channel, p.sent)
		if sender.Write(ctx, websocket.MessageText, []byte(text)) != nil {
			return
		}
		pause(ctx, rand.N(10*time.Millisecond))
	}
}

type frame struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
}

func next(ctx context.Context, c *websocket.Conn) (f frame, err error) {
	_, text, err := c.Read(ctx)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(text, &f)
}

// join connects and subscribes to the channel of the pair and to that of all.
func (p *pair) join(ctx context.Context, address, role string) (*websocket.Conn, error) {
	c, response, err := websocket.Dial(ctx, "ws://"+address+"/app/"+appKey+"?protocol=7&client=js&version=8.4.0", nil)
	if err != nil {
		return nil, err
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	if err := p.subscribe(ctx, c, role); err != nil {
		return nil, errors.Join(err, c.CloseNow())
	}
	return c, nil
}

func (p *pair) subscribe(ctx context.Context, c *websocket.Conn, role string) error {
	f, err := next(ctx, c)
	if err != nil {
		return err
	}
	var text string
	var handshake struct {
		SocketID string `json:"socket_id"`
	}
	if err := errors.Join(json.Unmarshal(f.Data, &text), json.Unmarshal([]byte(text), &handshake)); err != nil {
		return err
	}
	member := fmt.Sprintf(`{"user_id":%q}`, role+" of "+p.channel)
	sign := func(text string) string { return appKey + ":" + auth.Secret(appSecret).Sign([]byte(text)) }
	for _, request := range []string{
		fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q}}`,
			p.channel, sign(handshake.SocketID+":"+p.channel)),
		fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":%q,"channel_data":%q}}`,
			presence, sign(handshake.SocketID+":"+presence+":"+member), member),
	} {
		if err := c.Write(ctx, websocket.MessageText, []byte(request)); err != nil {
			return err
		}
	}
	for joined := 0; joined < 2; {
		f, err := next(ctx, c)
		if err != nil {
			return err
		}
		if f.Event == "pusher_internal:subscription_succeeded" {
			joined++
		}
	}
	return nil
}

func (p *pair) observe(ctx context.Context, c *websocket.Conn, life int) {
	for {
		f, err := next(ctx, c)
		if err != nil {
			return
		}
		var n int
		if f.Event != "client-n" {
			continue
		}
		var text string
		if json.Unmarshal(f.Data, &text) != nil || json.Unmarshal([]byte(text), &n) != nil {
			return
		}
		p.mu.Lock()
		p.seen[n] = sighting{time.Now(), life}
		p.mu.Unlock()
	}
}

func (*pair) discard(ctx context.Context, c *websocket.Conn) {
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return
		}
	}
}
