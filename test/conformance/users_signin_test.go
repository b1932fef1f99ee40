package conformance

import (
	"encoding/json"
	"strings"
	"testing"
)

// Texts of §5.1.
const (
	textAuthFormat = "Invalid format: auth must have the format key:signature"
	textUserData   = "Invalid user_data"
	textOtherUser  = "Connection is already signed in as a different user"
)

func textNoAuth(channel string) string { return "Auth info required to subscribe to " + channel }

func textAuthKey(key string) string { return "Invalid key in subscription auth data: '" + key + "'" }

func textSignature(signed, got string) string {
	return "Invalid signature: Expected HMAC SHA256 hex digest of " + signed + ", but got " + got
}

func toUser(id string) string { return "#server-to-user-" + id }

func TestSignin(t *testing.T) {
	prove(t, []statement{
		{"P-153 success echoes user_data character for character", signinEchoes},
		{"P-154 a wrong signature does not sign in", signinWrongSignature},
		{"P-155 faults have their texts", signinFaults},
		{"P-156 user_data without a usable id is refused", signinWithoutID},
		{"P-157 only the same id may sign in again", signinAgain},
	})
}

func signinEchoes(t *testing.T) {
	// The published vector V-15: the signing of this suite is that of §6.2.
	if got := sign("7ad3773142a6692b25b8", `1234.1234::user::{"id":"12345"}`); got !=
		"4708d583dada6a56435fb8bc611c77c359a31eebde13337c16ab43aa6de336ba" {
		t.Fatalf("V-15 is signed as %s", got)
	}
	s := shared(t)
	for _, userData := range []string{
		`{"id":"12345"}`,
		` { "user_info" : {"name":"Ann <&> \u00e9 żółw", "n":1.50, "big":12345678901234567890} ,` + "\n\t" + `"id":"12345" } `,
		`{"id":12345,"watchlist":["7","8"],"extra":[1, 2],"extra2":null}`,
		`{"id":"12345","user_info":{"path":"a\/b\\c"}}`,
	} {
		c := connect(t, s, plain)
		f := c.signin(t, userData)
		var body map[string]json.RawMessage
		f.into(t, &body)
		var echo string
		if err := json.Unmarshal(body["user_data"], &echo); err != nil || echo != userData || len(body) != 1 {
			t.Errorf("got %s, want user_data %q", f.raw, userData)
		}
		c.subscribe(t, toUser("12345"))
	}
}

func signinWrongSignature(t *testing.T) {
	s := shared(t)
	c := connect(t, s, plain)
	user := unique("u-")
	userData := `{"id":"` + user + `"}`
	for _, signature := range []string{
		strings.Repeat("0", 64), "", "zz",
		sign(plain.secret, c.socketID+":user:"+userData), // a text of another kind
		sign(other.secret, c.socketID+"::user::"+userData),
		sign(plain.secret, "1.1::user::"+userData),
		sign(plain.secret, c.socketID+"::user::"+userData+" "),
	} {
		c.sendEvent(t, "pusher:signin", object{"auth": plain.key + ":" + signature, "user_data": userData})
		c.expectError(t, 0, textSignature(c.socketID+"::user::"+userData, signature))
		c.sendEvent(t, "pusher:subscribe", object{"channel": toUser(user)})
		c.expectError(t, 0, textNoAuth(toUser(user)))
	}
	c.signin(t, userData)
}

func signinFaults(t *testing.T) {
	c := connect(t, shared(t), plain)
	userData := `{"id":"1"}`
	auth := plain.authUser(c.socketID, userData)
	for _, fault := range []struct {
		name, want string
		data       any
	}{
		{"nothing", "Missing parameter: data.auth", object{}},
		{"no auth", "Missing parameter: data.auth", object{"user_data": userData}},
		{"null auth", "Missing parameter: data.auth", object{"auth": nil, "user_data": userData}},
		{"no user_data", "Missing parameter: data.user_data", object{"auth": auth}},
		{"null user_data", "Missing parameter: data.user_data", object{"auth": auth, "user_data": nil}},
		{"no colon", textAuthFormat, object{"auth": "nonsense", "user_data": userData}},
		{"unknown key", textAuthKey("nobody-key"), object{"auth": unknown.authUser(c.socketID, userData), "user_data": userData}},
		{"key of another app", textAuthKey(other.key), object{"auth": other.authUser(c.socketID, userData), "user_data": userData}},
		{"data is no object", "Received invalid JSON", "[]"},
	} {
		c.sendEvent(t, "pusher:signin", fault.data)
		if got := c.expect(t, "pusher:error", "").errorBody(t); got != (errorBody{0, fault.want}) {
			t.Errorf("%s: got %+v, want null and %q", fault.name, got, fault.want)
		}
	}
	c.signin(t, userData)
}

func signinWithoutID(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, userData := range []string{
		`{}`, `{"user_info":{}}`, `{"id":""}`, `{"id":null}`, `{"id":true}`, `{"id":{}}`, `{"id":["1"]}`,
		`{"ID":"1"}`, `[]`, `"1"`, `1`, `null`, `{`, ``, `nonsense`,
		`{"id":"a b"}`, `{"id":"a#b"}`, `{"id":"a:b"}`, `{"id":"a/b"}`, `{"id":"żółw"}`,
		`{"id":"` + strings.Repeat("x", 201) + `"}`,
	} {
		c.askSignin(t, userData)
		if got := c.expect(t, "pusher:error", "").errorBody(t); got != (errorBody{0, textUserData}) {
			t.Errorf("user_data %q: got %+v, want null and %q", userData, got, textUserData)
		}
	}
	c.signin(t, `{"id":"`+strings.Repeat("x", 200)+`"}`)
}

func signinAgain(t *testing.T) {
	c := connect(t, shared(t), plain)
	first, second := unique("u-"), unique("u-")
	c.signin(t, `{"id":"`+first+`"}`)
	c.signin(t, `{"id":"`+first+`","user_info":{"name":"Ann"}}`)
	c.askSignin(t, `{"id":"`+second+`"}`)
	c.expectError(t, 0, textOtherUser)
	c.sendEvent(t, "pusher:subscribe", object{"channel": toUser(second)})
	c.expectError(t, 0, textNoAuth(toUser(second)))
	c.subscribe(t, toUser(first))

	// The newer user_info is the one that a presence channel shows.
	channel := unique("presence-")
	f := c.subscribe(t, channel)
	if want := `"hash":{"` + first + `":{"name":"Ann"}}`; !strings.Contains(f.text(t), want) {
		t.Errorf("got snapshot %s, want %s in it", f.text(t), want)
	}
}
