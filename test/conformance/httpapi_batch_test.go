package conformance

import (
	"strconv"
	"strings"
	"testing"
)

func TestBatchTrigger(t *testing.T) {
	prove(t, []statement{
		{"P-204 ten items pass, eleven do not", batchOfTen},
		{"P-205 info answers an aligned array", batchInfo},
		{"P-206 an item with channels is 400 and nothing is delivered", batchItemWithChannels},
		{"P-207 socket_id excludes for its item only", batchExcludes},
		{"P-222 one bad part publishes nothing", publishesAllOrNothing},
		{"a missing batch is 400", batchMissing},
	})
}

func (a api) batch(t testing.TB, items ...object) answer {
	t.Helper()
	return a.post(t, "/batch_events", object{"batch": items})
}

func batchOfTen(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	var items []object
	for i := range 11 {
		items = append(items, object{"channel": channel, "name": "e", "data": strconv.Itoa(i)})
	}
	s.api(plain).batch(t, items...).is(t, 400, "Batch too large (11 > 10)\n")
	s.api(plain).batch(t, items[:10]...).ok(t, "{}")
	for i := range 10 {
		c.expectEvent(t, "e", channel, strconv.Itoa(i))
	}
	c.expectNothing(t)
}

func batchInfo(t *testing.T) {
	s := shared(t)
	public, presence := unique("x-"), unique("presence-")
	c := connect(t, s, plain)
	c.subscribe(t, public)
	c.joinAs(t, presence, "1")
	item := func(channel string, info any) object {
		return object{"channel": channel, "name": "e", "data": "1", "info": info}
	}
	for _, test := range []struct {
		items []object
		want  string
	}{
		{[]object{item(public, nil), item(public, "subscription_count"), item(presence, nil)}, `{"batch":[{},{"subscription_count":1},{}]}`},
		{
			[]object{item(presence, "user_count,subscription_count"), item(public, "user_count"), item(public, "")},
			`{"batch":[{"user_count":1,"subscription_count":1},{},{}]}`,
		},
		{[]object{item(public, nil), item(public, "")}, `{}`},
	} {
		got := s.api(plain).batch(t, test.items...)
		if got.status != 200 || !sameJSON(t, got.body, test.want) {
			t.Errorf("got %d %q, want %s", got.status, got.body, test.want)
		}
	}
}

func batchItemWithChannels(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	good := object{"channel": channel, "name": "e", "data": "1"}
	for _, bad := range []object{
		{"channels": []string{channel}, "name": "e", "data": "1"},
		{"channel": channel, "channels": []string{channel}, "name": "e", "data": "1"},
		{"name": "e", "data": "1"},
	} {
		s.api(plain).batch(t, good, bad).is(t, 400, textMissing("channel"))
	}
	s.api(plain).deliversOnly(t, c, channel)
}

func batchExcludes(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	excluded, included := connect(t, s, plain), connect(t, s, plain)
	excluded.subscribe(t, channel)
	included.subscribe(t, channel)
	s.api(plain).batch(
		t,
		object{"channel": channel, "name": "e", "data": "1"},
		object{"channel": channel, "name": "e", "data": "2", "socket_id": excluded.socketID},
		object{"channel": channel, "name": "e", "data": "3"},
	).ok(t, "{}")
	for _, data := range []string{"1", "2", "3"} {
		included.expectEvent(t, "e", channel, data)
	}
	for _, data := range []string{"1", "3"} {
		excluded.expectEvent(t, "e", channel, data)
	}
	s.api(plain).deliversOnly(t, excluded, channel)
}

func publishesAllOrNothing(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	a := s.api(plain)
	for _, changes := range []object{
		{"channels": []string{channel, "in valid"}},
		{"name": strings.Repeat("x", 201)},
		{"name": "pusher:x"},
		{"data": strings.Repeat("x", 10_241)},
		{"socket_id": "nonsense"},
		{"info": "bogus"},
	} {
		if got := a.post(t, "/events", event(channel, changes)); got.status != 400 && got.status != 413 {
			t.Errorf("%v: got %d %q, want 400 or 413", changes, got.status, got.body)
		}
	}
	good := object{"channel": channel, "name": "e", "data": "1"}
	for _, bad := range []object{
		{"channel": "in valid", "name": "e", "data": "1"},
		{"channel": channel, "name": "pusher:x", "data": "1"},
		{"channel": channel, "data": "1"},
		{"channel": channel, "name": "e"},
		{"channel": channel, "name": "e", "data": strings.Repeat("x", 10_241)},
		{"channel": channel, "name": "e", "data": "1", "socket_id": "nonsense"},
		{"channel": channel, "name": "e", "data": "1", "info": "bogus"},
	} {
		if got := a.batch(t, good, bad); got.status != 400 && got.status != 413 {
			t.Errorf("batch with %v: got %d %q, want 400 or 413", bad, got.status, got.body)
		}
	}
	a.deliversOnly(t, c, channel)
}

func batchMissing(t *testing.T) {
	a := shared(t).api(plain)
	for _, body := range []object{
		{}, {"batch": nil}, {"batch": []object{}}, {"batch": "x"}, {"batch": object{"channel": "x", "name": "e", "data": "1"}},
	} {
		a.post(t, "/batch_events", body).is(t, 400, textMissing("batch"))
	}
}
