package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// P-113: with members joining and leaving concurrently, snapshot plus events
// always equals the true member set; P-112 and P-107 to P-110 on the way.
func TestPresenceUnderConcurrency(t *testing.T) {
	const connections, users, rounds = 24, 7, 60
	f := newFixture(t, nil)
	var clients []*client
	var work sync.WaitGroup
	for i := range connections {
		c := f.connect()
		clients = append(clients, c)
		user := fmt.Sprint(i % users)
		work.Go(func() {
			for range rounds {
				c.mustSubscribe("presence-a", user)
				if refusal := c.a.Unsubscribe(nil, "presence-a"); refusal != nil {
					t.Errorf("unsubscribe: %v", refusal)
				}
			}
			if rand.IntN(2) == 0 {
				c.mustSubscribe("presence-a", user)
			}
		})
	}
	watcher := f.connect()
	watcher.mustSubscribe("presence-a", "watcher")
	work.Wait()
	f.hub.drains.wait()

	want := f.hub.Users(f.app, "presence-a")
	if got := followMembers(t, watcher.frames); !slices.Equal(got, want) {
		t.Errorf("the watcher believes in %v, members are %v", got, want)
	}
	for _, c := range clients {
		if c.a.subscriptions.find("presence-a") == nil {
			followMembers(t, c.frames)
			continue
		}
		if got := followMembers(t, c.frames); !slices.Equal(got, want) {
			t.Errorf("a member believes in %v, members are %v", got, want)
		}
	}
	checkAlternation(t, f.noted("presence-a"))
	if info := f.hub.Channel(f.app, "presence-a"); info.Users != len(want) {
		t.Errorf("P-215: %d users are counted, want %d", info.Users, len(want))
	}
}

// followMembers plays a client library: it keeps the member list by snapshot and
// events, and fails on an event that does not fit.
func followMembers(t *testing.T, frames []testkit.Frame) []string {
	t.Helper()
	var members map[string]bool
	for _, f := range frames {
		var data struct {
			Presence struct {
				Count int
				IDs   []string
				Hash  map[string]any
			}
			UserID string `json:"user_id"`
		}
		if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
			t.Fatal(err)
		}
		switch f.Event {
		case protocol.EventSubscriptionSucceeded:
			members = make(map[string]bool)
			for _, id := range data.Presence.IDs {
				members[id] = true
			}
			if n := data.Presence.Count; n != len(members) || n != len(data.Presence.IDs) || n != len(data.Presence.Hash) {
				t.Fatalf("P-100: snapshot disagrees with itself: %s", f.Data)
			}
		case protocol.EventMemberAdded:
			if members == nil || members[data.UserID] {
				t.Fatalf("member_added of %s, who is there", data.UserID)
			}
			members[data.UserID] = true
		case protocol.EventMemberRemoved:
			if !members[data.UserID] {
				t.Fatalf("P-112: member_removed of %s, who is not there", data.UserID)
			}
			delete(members, data.UserID)
		}
	}
	return slices.Sorted(maps.Keys(members))
}
