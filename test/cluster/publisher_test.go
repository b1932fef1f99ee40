package cluster

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// backend is the HTTP API of a node.
type backend struct{ http *http.Client }

// call signs and sends a request and decodes a good answer into v, if that is not
// nil.
func (b backend) call(ctx context.Context, base, method, path string, query url.Values, body, v any) error {
	text := []byte{}
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	target := base + path + "?" + sign(method, path, query, text)
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := b.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s %s", method, path, response.Status, answer)
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(answer, v)
}

// sign returns the signed query of a request.
func sign(method, path string, query url.Values, body []byte) string {
	signed := url.Values{
		"auth_key":       {appKey},
		"auth_timestamp": {strconv.FormatInt(time.Now().Unix(), 10)},
		"auth_version":   {"1.0"},
	}
	maps.Copy(signed, query)
	if len(body) > 0 {
		sum := md5.Sum(body)
		signed.Set("body_md5", hex.EncodeToString(sum[:]))
	}
	// Names and values here need no escaping, so the encoded form is what is signed.
	text := method + "\n" + path + "\n" + signed.Encode()
	signed.Set("auth_signature", auth.Secret(appSecret).Sign([]byte(text)))
	return signed.Encode()
}

// accepted is an event that a node has taken.
type accepted struct {
	channel string
	n       int
	at      time.Time // when it was begun to be sent
	state   condition // of the publisher's node then
}

// publisher sends numbered events on all channels through one node.
type publisher struct {
	name    string
	node    *node
	backend backend
	gate    *gate

	mu   sync.Mutex
	n    int
	log  []accepted
	slow time.Duration // what the slowest event took since the last look
}

// next returns the number of the next event.
func (p *publisher) next() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	return p.n
}

func (p *publisher) took(at time.Time, n int, state condition, channels ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = max(p.slow, time.Since(at))
	for _, channel := range channels {
		p.log = append(p.log, accepted{channel, n, at, state})
	}
}

// slowest returns what the slowest event took since the last call.
func (p *publisher) slowest() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	slow := p.slow
	p.slow = 0
	return slow
}

// runHTTP triggers events, now and then one on two channels, or several at once.
func (p *publisher) runHTTP(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, form.pace) {
		process, _ := p.node.now()
		if process == nil || !p.gate.enter() {
			continue
		}
		p.trigger(ctx, process.Public)
		p.gate.leave()
	}
}

func (p *publisher) trigger(ctx context.Context, base string) {
	n := p.next()
	text, err := json.Marshal(number{p.name, n, time.Now().UnixNano()})
	if err != nil {
		panic(err)
	}
	channels := []string{eventChannel(n % eventChannels)}
	if n%5 == 0 {
		channels = append(channels, eventChannel((n+1)%eventChannels))
	}
	path, body := "/apps/"+appID+"/events", any(map[string]any{"name": "n", "channels": channels, "data": string(text)})
	if n%7 == 0 {
		var batch []map[string]string
		for _, channel := range channels {
			batch = append(batch, map[string]string{"name": "n", "channel": channel, "data": string(text)})
		}
		path, body = "/apps/"+appID+"/batch_events", map[string]any{"batch": batch}
	}
	at, state := time.Now(), p.node.condition()
	if p.backend.call(ctx, base, http.MethodPost, path, nil, body, nil) == nil {
		p.took(at, n, state, channels...)
	}
}

// runClient sends client events.
func (p *publisher) runClient(ctx context.Context) {
	for ; ctx.Err() == nil; pause(ctx, form.pace) {
		process, _ := p.node.now()
		if process != nil {
			_ = p.converse(ctx, process.Public) // it ends with the node
		}
	}
}

func (p *publisher) converse(ctx context.Context, base string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c, err := dial(ctx, base)
	if err != nil {
		return err
	}
	defer func() { _ = c.CloseNow() }()
	for channel := range eventChannels {
		if err := c.ask(ctx, eventChannel(channel), ""); err != nil {
			return err
		}
	}
	for joined := 0; joined < eventChannels; {
		f, err := c.next(ctx)
		if err != nil {
			return err
		}
		if f.Event == "pusher_internal:subscription_succeeded" {
			joined++
		}
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	reading.Go(func() {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				cancel()
				return
			}
		}
	})
	for ; ctx.Err() == nil; pause(ctx, form.pace) {
		if !p.gate.enter() {
			continue
		}
		err := p.tell(ctx, c)
		p.gate.leave()
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// tell sends one event, which a node that is well takes.
func (p *publisher) tell(ctx context.Context, c *conn) error {
	n := p.next()
	channel := eventChannel(n % eventChannels)
	text, err := json.Marshal(number{p.name, n, time.Now().UnixNano()})
	if err != nil {
		return err
	}
	at, state := time.Now(), p.node.condition()
	err = c.say(ctx, map[string]any{"event": "client-n", "channel": channel, "data": string(text)})
	if err == nil {
		p.took(at, n, state, channel)
	}
	return err
}
