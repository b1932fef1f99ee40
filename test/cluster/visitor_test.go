package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/coder/websocket"
)

// visitor comes to the room on one node and goes again, each time as another user
// and with a channel of that user's own.
type visitor struct {
	node *node
	gate *gate

	mu     sync.Mutex
	visits []visit
}

// visit is one that was begun; users are never the same twice.
type visit struct {
	user    string
	healthy bool // it began well, and nothing was wrong with the node all the time
}

// own is the public channel that only this user subscribes to.
func own(user string) string { return "visit-" + user }

func (v *visitor) run(ctx context.Context) {
	for n := 0; ctx.Err() == nil; n++ {
		process, _ := v.node.now()
		if process != nil && v.gate.enter() {
			v.visit(ctx, process.Public, fmt.Sprintf("v-%s-%d", v.node.name, n))
			v.gate.leave()
		}
		pause(ctx, form.pace)
	}
}

func (v *visitor) visit(ctx context.Context, base, user string) {
	before := v.node.condition()
	stayed := v.stay(ctx, base, user)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.visits = append(v.visits, visit{user, stayed && before == well && v.node.condition() == well})
}

// stay reports whether the user was there.
func (v *visitor) stay(ctx context.Context, base, user string) bool {
	c, err := dial(ctx, base)
	if err != nil {
		return false
	}
	defer func() { _ = c.CloseNow() }()
	joinCtx, cancel := context.WithTimeout(ctx, joining)
	defer cancel()
	for _, channel := range []string{own(user), room} {
		if c.ask(joinCtx, channel, user) != nil {
			return false
		}
	}
	for joined := 0; joined < 2; {
		f, err := c.next(joinCtx)
		if err != nil {
			return false
		}
		if f.Event == "pusher_internal:subscription_succeeded" {
			joined++
		}
	}
	var reading sync.WaitGroup
	defer reading.Wait()
	defer func() { _ = c.CloseNow() }() // without a word, if it is not done otherwise
	reading.Go(func() {
		for {
			if _, _, err := c.Read(ctx); err != nil {
				return
			}
		}
	})
	pause(ctx, rand.N(form.stay))
	switch rand.IntN(3) {
	case 0:
		_ = c.Close(websocket.StatusNormalClosure, "")
	case 1:
		_ = c.leave(ctx, room)
		pause(ctx, 10*time.Millisecond)
	}
	return true
}

// past returns the visits since the last call.
func (v *visitor) past() []visit {
	v.mu.Lock()
	defer v.mu.Unlock()
	visits := v.visits
	v.visits = nil
	return visits
}
