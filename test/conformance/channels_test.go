package conformance

import (
	"strings"
	"testing"
)

func TestChannels(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-062 every allowed character is accepted", allowedCharacters},
		{"P-063 200 characters are accepted and 201 refused", nameLength},
		{"P-064 other characters are refused", refusedCharacters},
		{"P-065 # is reserved for server-to-user", reservedHash},
		{"P-066 my-private-x and cache-private-x need no auth", prefixIsAnchored},
		{"P-067 private-encryptedx is plain private", almostEncrypted},
		{"presence-encrypted-x is plain presence", presenceEncrypted},
		{"P-068 private-encrypted-cache-x needs auth and is cached", encryptedCache},
		{"P-069 names are case-sensitive", caseSensitive},
		{"P-070 two apps share nothing", appsAreApart},
		{"a bare prefix is a name of its type", barePrefix},
	})
}

func allowedCharacters(t *testing.T) {
	s := shared(t)
	c := connect(t, s, plain)
	channel := unique("azAZ09-_=@,.;")
	c.subscribe(t, channel)
	s.api(plain).trigger(t, channel, "e", "1")
	c.expectEvent(t, "e", channel, "1")
	for _, r := range "-_=@,.;" {
		c.subscribe(t, unique(string(r)))
	}
}

// padded returns prefix and filling of this total length, unique.
func padded(prefix string, length int) string {
	name := unique(prefix)
	return name + strings.Repeat("x", length-len(name))
}

func nameLength(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, prefix := range []string{"", "private-", "cache-"} {
		c.subscribe(t, padded(prefix, 200))
		if prefix == "cache-" {
			c.recv(t) // the miss
		}
		c.expectInvalidName(t, padded(prefix, 201))
	}
}

func (c *client) expectInvalidName(t testing.TB, name string) {
	t.Helper()
	c.sendEvent(t, "pusher:subscribe", object{"channel": name, "auth": c.app.auth(c.socketID, name)})
	c.expectError(t, 0, "Invalid channel name "+name)
}

func refusedCharacters(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, name := range []string{
		"", "a b", " a", "a:b", "a/b", "a#b", "a\x00b", "a\nb", "żółw", "a😀", "a%20b", "a*", "a+b", "a!b", "a\\b", `a"b`, "a<b>",
		"private-a:b", "presence-a b", "cache-é",
	} {
		c.expectInvalidName(t, name)
	}
	c.expectNothing(t)
}

func reservedHash(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, name := range []string{
		"#", "#anything", "#private-x", "##server-to-user-1", "#server-to-users-1", "#Server-to-user-1",
		"#server-to-user-", "#server-to-user-a b", "#server-to-user-#1", "#server-to-user-" + strings.Repeat("x", 201),
	} {
		c.expectInvalidName(t, name)
	}
}

func prefixIsAnchored(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, prefix := range []string{"my-private-", "my-presence-", "xprivate-encrypted-", "private", "presence_"} {
		channel := unique(prefix)
		c.subscribePublic(t, channel)
	}
	cached := unique("cache-private-")
	c.subscribePublic(t, cached)
	c.expect(t, "pusher:cache_miss", cached)
	c.expectNothing(t)
}

// subscribePublic subscribes without any signature.
func (c *client) subscribePublic(t testing.TB, channel string) {
	t.Helper()
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel})
	c.expectRaw(t, succeeded(channel))
}

func almostEncrypted(t *testing.T) {
	c := connect(t, shared(t), talkative)
	channel := unique("private-encryptedx")
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel})
	// The extra frame is not sent for encrypted channels.
	c.unauthorized(t, channel, "Auth info required to subscribe to "+channel)
	c.subscribe(t, channel)
	c.expectNothing(t)
}

func presenceEncrypted(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("presence-encrypted-")
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel})
	c.unauthorized(t, channel, "Auth info required to subscribe to "+channel)
	if got := snapshot(t, c.joinAs(t, channel, "1")); got.Count != 1 {
		t.Fatalf("got %+v", got)
	}
}

func encryptedCache(t *testing.T) {
	s := shared(t)
	channel := unique("private-encrypted-cache-")
	c := connect(t, s, plain)
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel})
	c.expectError(t, 0, "Auth info required to subscribe to "+channel)
	c.subscribe(t, channel)
	c.expect(t, "pusher:cache_miss", channel)
	const sealed = `{"nonce":"bm9uY2U=","ciphertext":"Y2lwaGVy"}`
	s.api(plain).trigger(t, channel, "secret", sealed)
	c.expectEvent(t, "secret", channel, sealed)
	late := connect(t, s, plain)
	late.subscribe(t, channel)
	late.expectEvent(t, "secret", channel, sealed)
}

func caseSensitive(t *testing.T) {
	s := shared(t)
	c := connect(t, s, plain)
	for _, prefix := range []string{"Private-", "PRESENCE-", "Cache-"} {
		c.subscribePublic(t, unique(prefix))
	}
	lower := unique("case-")
	upper := strings.ToUpper(lower)
	c.subscribe(t, lower)
	s.api(plain).trigger(t, upper, "e", "upper")
	s.api(plain).trigger(t, lower, "e", "lower")
	c.expectEvent(t, "e", lower, "lower")
}

func appsAreApart(t *testing.T) {
	s := shared(t)
	channel, room, cache := unique("same-"), unique("presence-"), unique("cache-")
	ours, theirs := connect(t, s, plain), connect(t, s, other)
	for _, c := range []*client{ours, theirs} {
		c.subscribe(t, channel)
		if got := snapshot(t, c.joinAs(t, room, c.app.key)); got.Count != 1 {
			t.Fatalf("members of another app: %+v", got)
		}
	}
	s.api(other).trigger(t, cache, "e", "theirs")
	ours.subscribe(t, cache)
	ours.expect(t, "pusher:cache_miss", cache)
	s.api(other).trigger(t, channel, "e", "theirs")
	theirs.expectEvent(t, "e", channel, "theirs")
	s.api(plain).trigger(t, channel, "e", "ours")
	ours.expectEvent(t, "e", channel, "ours")
	theirs.expectNothing(t)
	s.api(other).get(t, "/channels/"+room+"/users", "").ok(t, `{"users":[{"id":"`+other.key+`"}]}`)
	// A signature of the other app is worth nothing here.
	secret := unique("private-")
	ours.sendEvent(t, "pusher:subscribe", object{"channel": secret, "auth": other.auth(ours.socketID, secret)})
	ours.unauthorized(t, secret, "Invalid key in subscription auth data: '"+other.key+"'")
}

func barePrefix(t *testing.T) {
	c := connect(t, shared(t), plain)
	c.subscribe(t, "private-")
	c.subscribe(t, "private-encrypted-")
	c.joinAs(t, "presence-", "1")
	c.subscribe(t, "cache-")
	c.expect(t, "pusher:cache_miss", "cache-")
}
