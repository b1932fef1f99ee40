package conformance

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

func TestMembership(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-113 snapshot plus events is always the true member set", membersUnderChurn},
		{"P-114 presence without channel data or sign-in is refused", presenceWithoutIdentity},
		{"P-115 a signed-in connection may omit channel data", presenceBySignin},
		{"P-116 explicit channel data wins over the sign-in", explicitWins},
		{"P-117 member 101 is refused, a second connection of a member is not", fullRoom},
		{"P-118 user_info of 1024 bytes is accepted and of 1025 refused", infoLimit},
		{"P-119 a user id of 128 characters is accepted and of 129 refused", userIDLimit},
		{"limits are settings of the app and their texts say so", smallPresenceLimits},
	})
}

// membersUnderChurn lets connections join and leave while observers come in.
// In the end each observer, who has only its snapshot and the events since,
// must know exactly the members that the API lists.
func membersUnderChurn(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	const workers, rounds = 8, 15
	crowd := make([]*client, workers)
	for i := range crowd {
		crowd[i] = connect(t, s, plain)
	}
	var churn sync.WaitGroup
	for i, c := range crowd {
		churn.Go(func() {
			for round := range rounds {
				// Few ids for many connections, so that users overlap. Every second
				// worker stays on at the end.
				c.tryJoin(room, "u"+strconv.Itoa((i+round)%5))
				if round < rounds-1 || i%2 == 0 {
					c.tryUnsubscribe(room)
				}
			}
		})
	}
	var observers []*client
	var known []map[string]bool
	for i := range 4 {
		c := connect(t, s, plain)
		observers = append(observers, c)
		known = append(known, members(snapshot(t, c.joinAs(t, room, "observer"+strconv.Itoa(i)))))
	}
	churn.Wait()
	for _, c := range crowd {
		c.catchUp(t)
	}
	s.api(plain).trigger(t, room, "sentinel", "")
	want := listUsers(t, s, room)
	for i, c := range observers {
		c.follow(t, room, known[i])
		if got := slices.Sorted(maps.Keys(known[i])); !slices.Equal(got, want) {
			t.Errorf("observer %d knows %q, the API lists %q", i, got, want)
		}
	}
}

// tryJoin and tryUnsubscribe write their frame and do not wait; the goroutines
// of the churn must not end the test. A frame that was not written shows when
// the connection catches up.
func (c *client) tryJoin(room, userID string) {
	channelData := `{"user_id":` + quote(userID) + `}`
	c.tryWrite(`{"event":"pusher:subscribe","data":{"channel":"` + room + `","auth":"` +
		c.app.authData(c.socketID, room, channelData) + `","channel_data":` + quote(channelData) + `}}`)
}

func (c *client) tryUnsubscribe(room string) {
	c.tryWrite(`{"event":"pusher:unsubscribe","data":{"channel":"` + room + `"}}`)
}

func (c *client) tryWrite(text string) {
	_ = c.conn.Write(context.Background(), websocket.MessageText, []byte(text))
}

// catchUp pings and takes everything up to the pong: then all that the
// connection has sent is processed.
func (c *client) catchUp(t testing.TB) {
	t.Helper()
	c.send(t, `{"event":"pusher:ping"}`)
	for {
		f := c.recv(t)
		if f.Event == "pusher:pong" {
			return
		}
		if f.Event == "pusher:error" {
			t.Fatalf("got %s", f.raw)
		}
	}
}

func members(p presence) map[string]bool {
	set := map[string]bool{}
	for _, id := range p.IDs {
		set[id] = true
	}
	return set
}

// follow applies member events to the set until the sentinel. An event must
// change the set: nobody is announced twice or removed unannounced.
func (c *client) follow(t testing.TB, room string, set map[string]bool) {
	t.Helper()
	for {
		f := c.recv(t)
		if f.Event == "sentinel" {
			return
		}
		var body struct {
			UserID string `json:"user_id"`
		}
		f.into(t, &body)
		added := f.Event == "pusher_internal:member_added"
		if f.channel() != room || !added && f.Event != "pusher_internal:member_removed" || set[body.UserID] == added {
			t.Fatalf("got %s while the members were %v", f.raw, set)
		}
		if added {
			set[body.UserID] = true
		} else {
			delete(set, body.UserID)
		}
	}
}

// listUsers returns what the API lists, sorted.
func listUsers(t testing.TB, s *server, room string) []string {
	t.Helper()
	var body struct{ Users []struct{ ID string } }
	s.api(plain).get(t, "/channels/"+room+"/users", "").into(t, &body)
	var ids []string
	for _, u := range body.Users {
		ids = append(ids, u.ID)
	}
	slices.Sort(ids)
	return ids
}

func presenceWithoutIdentity(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, prefix := range []string{"presence-", "presence-cache-"} {
		room := unique(prefix)
		c.sendEvent(t, "pusher:subscribe", object{"channel": room, "auth": plain.auth(c.socketID, room)})
		c.unauthorized(t, room, room+" is a presence channel and subscription must include channel_data")
	}
}

func presenceBySignin(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, c, bare := connect(t, s, plain), connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	c.signin(t, `{"id":"42","user_info":{"z":1,"a":12345678901234567890},"watchlist":[]}`)
	got := snapshot(t, c.subscribe(t, room))
	got.has(t, "42", "w")
	if got.Hash["42"] != `{"z":1,"a":12345678901234567890}` {
		t.Fatalf("got info %s", got.Hash["42"])
	}
	watcher.expectAdded(t, room, "42", `{"z":1,"a":12345678901234567890}`)
	bare.signin(t, `{"id":"43"}`)
	snapshot(t, bare.subscribe(t, room)).has(t, "42", "43", "w")
	watcher.expectAdded(t, room, "43", "null")
}

func explicitWins(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, c := connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	c.signin(t, `{"id":"signed-in","user_info":{"n":1}}`)
	got := snapshot(t, c.joinAs(t, room, "explicit"))
	got.has(t, "explicit", "w")
	if got.Hash["explicit"] != "null" {
		t.Fatalf("got info %s", got.Hash["explicit"])
	}
	watcher.expectAdded(t, room, "explicit", "null")
}

func fullRoom(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	for i := range 100 {
		connect(t, s, plain).joinAs(t, room, "m"+strconv.Itoa(i+1))
	}
	late := connect(t, s, plain)
	late.askJoin(t, room, `{"user_id":"m101"}`)
	late.refused(t, room, "LimitReached", 4100, "Presence channel "+room+" is full (100 members)")
	if got := snapshot(t, connect(t, s, plain).joinAs(t, room, "m5")); got.Count != 100 {
		t.Fatalf("count is %d, want 100", got.Count)
	}
	if got := listUsers(t, s, room); len(got) != 100 || slices.Contains(got, "m101") {
		t.Fatalf("the API lists %d users", len(got))
	}
}

func infoLimit(t *testing.T) {
	c := connect(t, shared(t), plain)
	info := func(size int) string {
		return `"` + strings.Repeat("é", (size-2)/2) + strings.Repeat("x", size%2) + `"`
	}
	room := unique("presence-")
	c.askJoin(t, room, `{"user_id":"1","user_info":`+info(1025)+`}`)
	c.refused(t, room, "LimitReached", 4301, "user_info exceeds the allowed maximum (1024 bytes)")
	if got := snapshot(t, c.join(t, room, `{"user_id":"1","user_info":`+info(1024)+`}`)); got.Hash["1"] != info(1024) {
		t.Fatalf("got info %s", got.Hash["1"])
	}
}

func userIDLimit(t *testing.T) {
	c := connect(t, shared(t), plain)
	room := unique("presence-")
	for _, letter := range []string{"x", "é", "😀"} { // characters, not bytes
		c.askJoin(t, room, `{"user_id":"`+strings.Repeat(letter, 129)+`"}`)
		c.refused(t, room, "LimitReached", 4301, "user_id exceeds the allowed maximum (128 characters)")
		snapshot(t, c.joinAs(t, room, strings.Repeat(letter, 128))).has(t, strings.Repeat(letter, 128))
		c.unsubscribe(t, room)
	}
}

func smallPresenceLimits(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	c := connect(t, s, small)
	c.askJoin(t, room, `{"user_id":"`+strings.Repeat("x", 9)+`"}`)
	c.refused(t, room, "LimitReached", 4301, "user_id exceeds the allowed maximum (8 characters)")
	c.askJoin(t, room, `{"user_id":"1","user_info":"`+strings.Repeat("x", 15)+`"}`)
	c.refused(t, room, "LimitReached", 4301, "user_info exceeds the allowed maximum (16 bytes)")
	c.joinAs(t, room, "1")
	connect(t, s, small).joinAs(t, room, "2")
	third := connect(t, s, small)
	third.askJoin(t, room, `{"user_id":"3"}`)
	third.refused(t, room, "LimitReached", 4100, "Presence channel "+room+" is full (2 members)")
}
