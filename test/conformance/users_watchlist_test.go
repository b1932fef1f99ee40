package conformance

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestWatchlist(t *testing.T) {
	prove(t, []statement{
		{"P-168 sign-in is followed by the state of all watched ids", watchlistState},
		{"P-169 watchers hear of the first connection only", watchlistOnline},
		{"P-170 watchers hear of the last connection's end", watchlistOffline},
		{"P-171 ids beyond the hundredth are not watched", watchlistLimit},
		{"P-172 with the feature off nothing is sent", watchlistOff},
	})
}

// watch signs in as a new user who watches the ids.
func watch(t testing.TB, s *server, a app, ids ...string) *client {
	t.Helper()
	c := connect(t, s, a)
	c.signin(t, marshal(t, object{"id": unique("watcher-"), "watchlist": ids}))
	return c
}

// watched decodes the next frame, which must be a watchlist frame of the form
// that §5.5 demands: it returns the ids that it says went offline and online,
// sorted.
func (c *client) watched(t testing.TB) (offline, online []string) {
	t.Helper()
	f := c.expect(t, "pusher_internal:watchlist_events", "")
	if f.Channel != nil {
		t.Fatalf("watchlist frame with a channel: %s", f.raw)
	}
	var body struct {
		Events []struct {
			Name    string
			UserIDs []string `json:"user_ids"`
		}
	}
	f.into(t, &body)
	for _, e := range body.Events {
		if len(e.UserIDs) == 0 {
			t.Fatalf("watchlist frame with an empty list: %s", f.raw)
		}
		switch e.Name {
		case "offline":
			offline = append(offline, e.UserIDs...)
		case "online":
			online = append(online, e.UserIDs...)
		default:
			t.Fatalf("watchlist frame with name %q: %s", e.Name, f.raw)
		}
	}
	slices.Sort(offline)
	slices.Sort(online)
	return offline, online
}

// expectWatched requires a watchlist frame with exactly these ids.
func (c *client) expectWatched(t testing.TB, offline, online []string) {
	t.Helper()
	slices.Sort(offline)
	slices.Sort(online)
	gotOffline, gotOnline := c.watched(t)
	if !slices.Equal(gotOffline, offline) || !slices.Equal(gotOnline, online) {
		t.Fatalf("got offline %v and online %v, want %v and %v", gotOffline, gotOnline, offline, online)
	}
}

func watchlistState(t *testing.T) {
	s := shared(t)
	here, also, away := unique("a-"), unique("b-"), unique("c-")
	for _, user := range []string{here, also} {
		connect(t, s, watchful).signin(t, `{"id":"`+user+`"}`)
	}
	watch(t, s, watchful, here, away, also, away, here).expectWatched(t, []string{away}, []string{here, also})
	watch(t, s, watchful, away).expectWatched(t, []string{away}, nil)
	watch(t, s, watchful, here).expectWatched(t, nil, []string{here})
	watch(t, s, watchful).expectNothing(t)

	self := connect(t, s, watchful)
	name := unique("self-")
	self.signin(t, `{"id":"`+name+`","watchlist":["`+name+`",77130099,true,null,{"id":"x"},["y"]]}`)
	self.expectWatched(t, []string{"77130099"}, []string{name})
	self.expectNothing(t)
}

func watchlistOnline(t *testing.T) {
	s := shared(t)
	ann, bo := unique("ann-"), unique("bo-")
	watcher := watch(t, s, watchful, ann, bo)
	watcher.expectWatched(t, []string{ann, bo}, nil)
	for range 2 {
		connect(t, s, watchful).signin(t, `{"id":"`+ann+`"}`)
	}
	connect(t, s, full).signin(t, `{"id":"`+bo+`"}`) // of another app
	connect(t, s, watchful).signin(t, `{"id":"`+bo+`"}`)
	watcher.expectWatched(t, nil, []string{ann})
	watcher.expectWatched(t, nil, []string{bo})
	watcher.expectNothing(t)
}

func watchlistOffline(t *testing.T) {
	s := shared(t)
	ann, bo := unique("ann-"), unique("bo-")
	signedIn := func(user string) *client {
		c := connect(t, s, watchful)
		c.signin(t, `{"id":"`+user+`"}`)
		return c
	}
	first, second, only := signedIn(ann), signedIn(ann), signedIn(bo)
	watcher := watch(t, s, watchful, ann, bo)
	watcher.expectWatched(t, nil, []string{ann, bo})
	first.leave(t)
	only.leave(t)
	watcher.expectWatched(t, []string{bo}, nil)
	watcher.expectNothing(t)
	second.drop()
	watcher.expectWatched(t, []string{ann}, nil)
	signedIn(ann)
	watcher.expectWatched(t, nil, []string{ann})
}

func watchlistLimit(t *testing.T) {
	s := shared(t)
	prefix := unique("u-")
	var ids []string
	for i := range 101 {
		ids = append(ids, prefix+"-"+strconv.Itoa(i))
	}
	watcher := watch(t, s, watchful, ids...)
	watcher.expectError(t, 4302, "Watchlist limit exceeded. Only the first 100 user IDs are accepted.")
	watcher.expectWatched(t, slices.Clone(ids[:100]), nil)
	connect(t, s, watchful).signin(t, `{"id":"`+ids[100]+`"}`)
	connect(t, s, watchful).signin(t, `{"id":"`+ids[99]+`"}`)
	watcher.expectWatched(t, nil, []string{ids[99]})
	watcher.expectNothing(t)

	// A hundred ids and a repetition are a hundred ids.
	watch(t, s, watchful, append(slices.Clone(ids[:100]), ids[0])...).
		expectWatched(t, slices.Clone(ids[:99]), []string{ids[99]})
}

func watchlistOff(t *testing.T) {
	s := shared(t)
	user := unique("u-")
	many := strings.Repeat(`"x",`, 150) + `"` + user + `"`
	for _, list := range []string{`["` + user + `"]`, `[` + many + `]`} {
		watcher := connect(t, s, plain)
		watcher.signin(t, `{"id":"`+unique("watcher-")+`","watchlist":`+list+`}`)
		watcher.expectNothing(t)
		connect(t, s, plain).signin(t, `{"id":"`+user+`"}`)
		watcher.expectNothing(t)
	}
}
