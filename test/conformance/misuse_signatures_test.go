package conformance

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestForgedSignatures(t *testing.T) {
	prove(t, []statement{
		{"a subscription's signature opens nothing else", replayedSubscription},
		{"a sign-in's signature signs in nobody else", replayedSignin},
		{"no changed subscription signature is accepted", mutatedSubscription},
		{"a request's signature covers method, path, query and body", replayedRequest},
		{"no changed request signature is accepted", mutatedRequest},
	})
}

// refusesAuth subscribes with this auth; it must be refused as a signature that
// does not match.
func (c *client) refusesAuth(t testing.TB, channel, auth string, channelData ...string) {
	t.Helper()
	data := object{"channel": channel, "auth": auth}
	signed := c.socketID + ":" + channel
	if len(channelData) > 0 {
		data["channel_data"] = channelData[0]
		signed += ":" + channelData[0]
	}
	_, signature, _ := strings.Cut(auth, ":")
	c.sendEvent(t, "pusher:subscribe", data)
	c.unauthorized(t, channel, textSignature(signed, signature))
}

func replayedSubscription(t *testing.T) {
	s := shared(t)
	private, presence := unique("private-"), unique("presence-")
	ann, bo := `{"user_id":"ann"}`, `{"user_id":"bo"}`
	owner := connect(t, s, plain)
	auth, presenceAuth := plain.auth(owner.socketID, private), plain.authData(owner.socketID, presence, ann)
	owner.subscribe(t, private)

	thief := connect(t, s, plain)
	thief.refusesAuth(t, private, auth)
	thief.refusesAuth(t, presence, presenceAuth, ann)
	owner.refusesAuth(t, private+"-x", auth)
	owner.refusesAuth(t, presence, presenceAuth, bo)
	owner.refusesAuth(t, presence, plain.auth(owner.socketID, presence), ann) // data not covered
	owner.refusesAuth(t, presence, plain.authUser(owner.socketID, ann), ann)  // a sign-in's
	// Channel and data must not be able to trade characters.
	owner.refusesAuth(t, private+"-y", plain.authData(owner.socketID, private, "y"))

	owner.leave(t)
	back := connect(t, s, plain) // the same device, with another socket id
	back.refusesAuth(t, private, auth)
	back.subscribe(t, private)
}

func replayedSignin(t *testing.T) {
	s := shared(t)
	ann, bo := `{"id":"ann"}`, `{"id":"bo"}`
	owner, thief := connect(t, s, plain), connect(t, s, plain)
	auth := plain.authUser(owner.socketID, ann)
	owner.signin(t, ann)
	refuse := func(c *client, auth, userData string) {
		t.Helper()
		_, signature, _ := strings.Cut(auth, ":")
		c.sendEvent(t, "pusher:signin", object{"auth": auth, "user_data": userData})
		c.expectError(t, 0, textSignature(c.socketID+"::user::"+userData, signature))
	}
	refuse(thief, auth, ann)
	refuse(owner, auth, bo)
	refuse(thief, plain.authData(thief.socketID, "presence-x", ann), ann)
	refuse(thief, plain.auth(thief.socketID, "private-x"), ann)
	// The separating colons cannot come from a channel name.
	thief.sendEvent(t, "pusher:subscribe", object{"channel": ":user:" + ann, "auth": plain.authUser(thief.socketID, ann)})
	thief.expectError(t, 0, "Invalid channel name :user:"+ann)
	thief.expectNothing(t)
}

// changed returns the signature with each of its digits changed in turn, and
// some that are longer, shorter or dressed up.
func changed(signature string) []string {
	var all []string
	for i := range signature {
		digit := byte('0')
		if signature[i] == '0' {
			digit = 'f'
		}
		all = append(all, signature[:i]+string(digit)+signature[i+1:])
	}
	return append(all, "", "0", signature[1:], signature[:63], signature+"0", signature+signature, " "+signature, signature+"\n",
		"0x"+signature, strings.Repeat("0", 64), strings.Repeat("z", 64), signature[:32]+"\x00"+signature[33:], strings.Repeat("x", 10_000))
}

func mutatedSubscription(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-")
	key, signature, _ := strings.Cut(plain.auth(c.socketID, channel), ":")
	for _, wrong := range changed(signature) {
		c.refusesAuth(t, channel, key+":"+wrong)
	}
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": key + ":" + strings.ToUpper(signature)})
	c.expectRaw(t, succeeded(channel)) // hex is hex
}

func replayedRequest(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)

	body := marshal(t, event(channel, nil))
	good := a.request(t, call{path: "/events", body: body})
	for range 2 { // there is no nonce: within its 600 s a request may be repeated
		s.roundTrip(t, withBody(good.Clone(t.Context()), body)).ok(t, "{}")
		c.expectEvent(t, "e", channel, "1")
	}
	for name, change := range map[string]func(*http.Request){
		"path":             func(r *http.Request) { r.URL.Path = "/apps/" + plain.id + "/batch_events" },
		"app":              func(r *http.Request) { r.URL.Path = "/apps/" + other.id + "/events" },
		"body":             func(r *http.Request) { withBody(r, strings.Replace(body, "1", "2", 1)) },
		"md5":              func(r *http.Request) { setQuery(r, "body_md5", bodyMD5("")) },
		"body and md5":     func(r *http.Request) { withBody(r, "{}"); setQuery(r, "body_md5", bodyMD5("{}")) },
		"timestamp":        func(r *http.Request) { setQuery(r, "auth_timestamp", "1") },
		"key":              func(r *http.Request) { setQuery(r, "auth_key", other.key) },
		"parameter":        func(r *http.Request) { setQuery(r, "socket_id", c.socketID) },
		"second key":       func(r *http.Request) { r.URL.RawQuery += "&auth_key=" + other.key },
		"second signature": func(r *http.Request) { r.URL.RawQuery = "auth_signature=0&" + r.URL.RawQuery },
	} {
		r := withBody(good.Clone(t.Context()), body)
		change(r)
		if got := s.roundTrip(t, r); got.status != 401 {
			t.Errorf("another %s: got %d %q, want 401", name, got.status, got.body)
		}
	}
	read := a.request(t, call{path: "/channels", query: url.Values{"filter_by_prefix": {channel}}})
	read.Method = http.MethodPost
	if got := s.roundTrip(t, read); got.status != 401 && got.status != 405 {
		t.Errorf("another method: got %d %q, want 401 or 405", got.status, got.body)
	}
	a.deliversOnly(t, c, channel)
}

func setQuery(r *http.Request, name, value string) {
	query := r.URL.Query()
	query.Set(name, value)
	r.URL.RawQuery = query.Encode()
}

func mutatedRequest(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	good := a.request(t, call{path: "/channels/nothing"})
	for _, wrong := range changed(good.URL.Query().Get("auth_signature")) {
		r := good.Clone(t.Context())
		setQuery(r, "auth_signature", wrong)
		if got := s.roundTrip(t, r); got.status != 401 {
			t.Errorf("signature %.80q: got %d %q, want 401", wrong, got.status, got.body)
		}
	}
	s.roundTrip(t, good).ok(t, `{"occupied":false}`)
}
