package conformance

import (
	"testing"
	"time"
)

func TestWebhookLifecycle(t *testing.T) {
	proveHooks(t, ", grace_delay: "+shortGrace.String(), []hookTest{
		{name: "P-227 the first subscription raises channel_occupied once", prove: hookOccupiedOnce},
		{name: "P-228 channel_vacated comes after the delay", prove: vacatesAfter(shortGrace)},
		{name: "P-231 member events come once per user with a string id", prove: hookMembers},
		{name: "P-232 member_removed precedes channel_vacated", prove: hookRemovedFirst},
		{name: "P-233 client_event has strings, user_id on presence channels only", prove: hookClientEvent},
		{name: "P-149 P-234 refused client events raise none", prove: hookNoRefused},
		{name: "P-235 an empty cache channel raises one cache_miss", prove: hookOneMiss},
		{name: "P-236 subscription_count has an integer", settings: []string{"subscription_count: true"}, prove: hookCounts},
		{name: "P-236 with the feature off there is no subscription_count", prove: hookNoCounts},
	})
}

func TestWebhookDefaultDelay(t *testing.T) {
	proveHooks(t, "", []hookTest{
		{name: "P-228 channel_vacated comes after three seconds", prove: vacatesAfter(defaultGrace)},
		{name: "P-229 leaving and returning within the delay raises nothing", prove: hookReturns},
		{name: "P-230 the same for a user", prove: hookUserReturns},
		{name: "P-229 returning on another connection raises nothing", prove: hookReconnects},
	})
}

func hookOccupiedOnce(t *testing.T, h *hooked) {
	channel, later := unique("x-"), unique("x-")
	first, second := h.connect(t), h.connect(t)
	first.subscribe(t, channel)
	second.subscribe(t, channel)
	second.unsubscribe(t, channel)
	second.subscribe(t, later)
	h.expectHooks(t, hookOccupied(channel), hookOccupied(later))
}

// vacatesAfter measures by time_ms, which is the moment of creation.
func vacatesAfter(delay time.Duration) func(*testing.T, *hooked) {
	return func(t *testing.T, h *hooked) {
		for _, leave := range []func(*client, string){
			func(c *client, channel string) { c.unsubscribe(t, channel) },
			func(c *client, _ string) { c.leave(t) },
		} {
			channel := unique("private-")
			c := h.connect(t)
			c.subscribe(t, channel)
			h.expectHook(t, hookOccupied(channel))
			before := time.Now()
			leave(c, channel)
			after := time.Now()
			d := h.expectHook(t, hookVacated(channel))
			created := time.UnixMilli(d.TimeMS)
			if created.Sub(before) < delay-time.Millisecond || created.Sub(after) > delay+time.Second {
				t.Errorf("created %v after leaving, want %v to %v", created.Sub(before), delay, delay+time.Second)
			}
			if d.at.Sub(before) < delay {
				t.Errorf("arrived %v after leaving, want no less than %v", d.at.Sub(before), delay)
			}
		}
	}
}

func hookMembers(t *testing.T, h *hooked) {
	channel := unique("presence-")
	keeper, first, second := h.connect(t), h.connect(t), h.connect(t)
	keeper.join(t, channel, `{"user_id":"keeper","user_info":{"secret":"not told"}}`)
	first.join(t, channel, `{"user_id":42}`)
	second.join(t, channel, `{"user_id":"42"}`)
	h.expectHooks(t, hookOccupied(channel), hookAdded(channel, "keeper"), hookAdded(channel, "42"))
	first.leave(t)
	h.connect(t).joinAs(t, channel, "43")
	h.expectHook(t, hookAdded(channel, "43")) // and no removal before it
	second.leave(t)
	h.expectHook(t, hookRemoved(channel, "42"))
}

func hookRemovedFirst(t *testing.T, h *hooked) {
	for range 3 {
		channel := unique("presence-")
		c := h.connect(t)
		c.joinAs(t, channel, "1")
		h.expectHooks(t, hookOccupied(channel), hookAdded(channel, "1"))
		c.leave(t)
		h.expectHooks(t, hookRemoved(channel, "1"), hookVacated(channel))
	}
}

func hookClientEvent(t *testing.T, h *hooked) {
	private, presence := unique("private-"), unique("presence-")
	c := h.connect(t)
	c.subscribe(t, private)
	c.join(t, presence, `{"user_id":42}`)
	h.expectHooks(t, hookOccupied(private), hookOccupied(presence), hookAdded(presence, "42"))

	event := func(channel, data string) map[string]any {
		return map[string]any{
			"name": "client_event", "channel": channel, "event": "client-typing", "data": data, "socket_id": c.socketID,
		}
	}
	c.send(t, `{"event":"client-typing","channel":"`+private+`","data":{"on":true},"user_id":"1"}`)
	h.expectHook(t, event(private, `{"on":true}`))
	c.clientEvent(t, "client-typing", private, "żółw <&>")
	h.expectHook(t, event(private, "żółw <&>"))
	c.clientEvent(t, "client-typing", presence, 5)
	onPresence := event(presence, "5")
	onPresence["user_id"] = "42"
	h.expectHook(t, onPresence)
}

func hookNoRefused(t *testing.T, h *hooked) {
	private, public := unique("private-"), unique("x-")
	c := h.connect(t)
	c.subscribe(t, private)
	c.subscribe(t, public)
	h.expectHooks(t, hookOccupied(private), hookOccupied(public))
	c.clientEvent(t, "client-x", public, "1")
	c.expectError(t, 0, textClientEventPublic)
	c.clientEvent(t, "client-x", private+"-x", "1")
	c.expectError(t, 0, textNotSubscribed(private+"-x"))
	c.sendEvent(t, "client-x", "1")
	c.expectError(t, 0, textClientEventShape)

	// Of thirty at once only those that are not refused for their rate are told.
	refused, told := 0, 0
	for range 30 {
		c.clientEvent(t, "client-n", private, "n")
	}
	for range 30 {
		select {
		case got := <-c.in:
			if body := decode(t, got.text).errorBody(t); body.Code != 4301 {
				t.Fatalf("got %s, want error 4301", got.text)
			}
			refused++
		case d := <-h.arrived:
			if d.Events[0]["event"] != "client-n" {
				t.Fatalf("got webhook %s, want event client-n", d.body)
			}
			told++
		case <-time.After(2 * patience):
			t.Fatalf("%d refused and %d told of 30", refused, told)
		}
	}
	if told < 10 || refused < 1 {
		t.Errorf("%d refused and %d told, want at least 10 told and some refused", refused, told)
	}
	h.connect(t).subscribe(t, public+"-last")
	h.expectHook(t, hookOccupied(public+"-last"))
}

func hookOneMiss(t *testing.T, h *hooked) {
	channel := unique("cache-")
	var all []*client
	for range 10 {
		all = append(all, h.connect(t))
	}
	for _, c := range all { // all ask before one of them reads
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel})
	}
	for _, c := range all {
		c.expectRaw(t, succeeded(channel))
		c.expect(t, "pusher:cache_miss", channel)
	}
	h.expectHooks(t, hookOccupied(channel), hookCacheMiss(channel))

	// Vacated and empty still, the channel misses again.
	for _, c := range all {
		c.leave(t)
	}
	h.expectHook(t, hookVacated(channel))
	c := h.connect(t)
	c.subscribe(t, channel)
	h.expectHooks(t, hookOccupied(channel), hookCacheMiss(channel))

	// A filled one does not.
	filled := unique("cache-")
	h.backend().trigger(t, filled, "e", "1")
	c.expect(t, "pusher:cache_miss", channel)
	c.subscribe(t, filled)
	c.expectEvent(t, "e", filled, "1")
	later := unique("x-")
	c.subscribe(t, later)
	h.expectHooks(t, hookOccupied(filled), hookOccupied(later))
}

func hookCounts(t *testing.T, h *hooked) {
	channel := unique("x-")
	first, second := h.connect(t), h.connect(t)
	first.subscribe(t, channel)
	h.expectHooks(t, hookOccupied(channel), hookCount(channel, 1))
	second.subscribe(t, channel)
	second.expect(t, "pusher_internal:subscription_count", channel)
	h.expectHook(t, hookCount(channel, 2))
	second.unsubscribe(t, channel)
	h.expectHook(t, hookCount(channel, 1))
	presence := unique("presence-")
	second.joinAs(t, presence, "1")
	h.expectHooks(t, hookOccupied(presence), hookAdded(presence, "1"))
	second.subscribe(t, channel)
	h.expectHook(t, hookCount(channel, 2))
}

func hookNoCounts(t *testing.T, h *hooked) {
	first, second := unique("x-"), unique("x-")
	c, another := h.connect(t), h.connect(t)
	for _, channel := range []string{first, second} {
		c.subscribe(t, channel)
		another.subscribe(t, channel)
		another.unsubscribe(t, channel)
	}
	h.expectHooks(t, hookOccupied(first), hookOccupied(second))
}

// hookReturns proves the absence of notices by another channel, left later:
// whatever the first one raised would have come before its channel_vacated.
func hookReturns(t *testing.T, h *hooked) {
	channel, sentinel := unique("x-"), unique("x-")
	c := h.connect(t)
	c.subscribe(t, channel)
	h.expectHook(t, hookOccupied(channel))
	for range 3 {
		c.unsubscribe(t, channel)
		c.subscribe(t, channel)
	}
	c.subscribe(t, sentinel)
	c.unsubscribe(t, sentinel)
	h.expectHooks(t, hookOccupied(sentinel), hookVacated(sentinel))
	c.leave(t)
	h.expectHook(t, hookVacated(channel)) // it was still known to be occupied
}

func hookUserReturns(t *testing.T, h *hooked) {
	channel, sentinel := unique("presence-"), unique("presence-")
	keeper, c := h.connect(t), h.connect(t)
	keeper.joinAs(t, channel, "keeper")
	c.joinAs(t, channel, "42")
	h.expectHooks(t, hookOccupied(channel), hookAdded(channel, "keeper"), hookAdded(channel, "42"))
	c.leave(t)
	back := h.connect(t)
	back.joinAs(t, channel, "42")
	back.joinAs(t, sentinel, "1")
	back.unsubscribe(t, sentinel)
	h.expectHooks(t, hookOccupied(sentinel), hookAdded(sentinel, "1"), hookRemoved(sentinel, "1"), hookVacated(sentinel))
	back.leave(t)
	h.expectHook(t, hookRemoved(channel, "42"))
}

func hookReconnects(t *testing.T, h *hooked) {
	channel, sentinel := unique("presence-"), unique("x-")
	c := h.connect(t)
	c.joinAs(t, channel, "42")
	h.expectHooks(t, hookOccupied(channel), hookAdded(channel, "42"))
	c.drop()
	back := h.connect(t)
	back.joinAs(t, channel, "42")
	back.subscribe(t, sentinel)
	back.unsubscribe(t, sentinel)
	h.expectHooks(t, hookOccupied(sentinel), hookVacated(sentinel))
}
