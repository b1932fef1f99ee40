//go:build !noembedded

package embedded

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// TestInterestBeforeMarker: what a node publishes after its subscription was
// confirmed reaches every other server behind the subscription. So once another node
// has the marker, whatever it publishes arrives. Package cluster waits for answers to
// such markers, and relies on nothing else.
func TestInterestBeforeMarker(t *testing.T) {
	const rounds = 4000 // 20,000 and more have passed
	all := broker.Subject{Kind: broker.ToAll}
	asks := start(t, Options{Name: "asks"})
	var answering sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	defer answering.Wait()
	defer cancel()
	for i := range 2 {
		n := newNode(t, Options{Name: fmt.Sprintf("answers-%d", i), Seeds: []string{asks.addr}})
		markers := make(chan string, rounds)
		n.receive = func(m string) { markers <- m }
		n.run()
		await(t, n.up, "an answering node")
		n.meets(1 + i)
		n.do(sub(all))
		answering.Go(func() {
			for {
				select {
				case m := <-markers:
					if err := n.Do(ctx, []broker.Command{pub(room(m), m)}); err != nil && ctx.Err() == nil {
						t.Errorf("Do: %v", err)
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
	asks.meets(2)
	late := time.NewTimer(time.Minute)
	for i := range rounds {
		name := fmt.Sprintf("%s-%d", strings.Repeat("x", i%50), i)
		if i%2 == 0 {
			asks.do(sub(room(name)))
			asks.do(pub(all, name))
		} else {
			asks.do(sub(room(name)), pub(all, name))
		}
		late.Reset(10 * time.Second)
		for answers := range 2 {
			select {
			case got := <-asks.got:
				if got != name {
					t.Fatalf("round %d: received %q", i, got)
				}
			case <-late.C:
				t.Fatalf("round %d: only %d of 2 answers came", i, answers)
			}
		}
		asks.do(broker.Command{Op: broker.Unsubscribe, Subject: room(name)})
	}
}
