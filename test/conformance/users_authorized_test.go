package conformance

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

const textNotAuthorized = "Connection not authorized within timeout"

func TestAuthorizedConnections(t *testing.T) {
	prove(t, []statement{
		{"P-165 an idle connection is closed after the timeout", closesUnauthorized},
		{"P-166 one success prevents it, failures and public channels do not", keepsAuthorized},
		{"P-167 unauthorized connections do not use the quota", unauthorizedAreFree},
	})
}

func closesUnauthorized(t *testing.T) {
	s := shared(t)
	begin := time.Now()
	c := connect(t, s, strict)
	c.expectClose(t, 4009, textNotAuthorized)
	if after := time.Since(begin); after < time.Second {
		t.Errorf("closed after %v, want no less than 1s", after)
	}
	old := connectVersion(t, s, strict, 5)
	old.expectError(t, 4009, textNotAuthorized)
	old.expectClose(t, 4009, textNotAuthorized)
}

func keepsAuthorized(t *testing.T) {
	s := shared(t)
	signedIn, private, member := connect(t, s, strict), connect(t, s, strict), connect(t, s, strict)
	signedIn.signin(t, `{"id":"1"}`)
	channel := unique("private-")
	private.subscribe(t, channel)
	private.unsubscribe(t, channel) // it qualified once, that is enough
	member.joinAs(t, unique("presence-"), "1")

	public, failed := connect(t, s, strict), connect(t, s, strict)
	public.subscribe(t, unique("public-"))
	wrong := strict.key + ":" + strings.Repeat("0", 64)
	failed.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": wrong})
	failed.unauthorized(t, channel, textSignature(failed.socketID+":"+channel, strings.Repeat("0", 64)))
	failed.sendEvent(t, "pusher:signin", object{"auth": wrong, "user_data": `{"id":"1"}`})
	failed.expect(t, "pusher:error", "")
	public.expectClose(t, 4009, textNotAuthorized)
	failed.expectClose(t, 4009, textNotAuthorized)

	// Once a connection that came later is out, the timeout of all others has passed.
	connect(t, s, strict).expectClose(t, 4009, textNotAuthorized)
	for _, c := range []*client{signedIn, private, member} {
		c.expectNothing(t)
	}
}

func unauthorizedAreFree(t *testing.T) {
	s := shared(t)
	first, second, third := connect(t, s, strictOne), connect(t, s, strictOne), connect(t, s, strictOne)
	first.subscribe(t, unique("private-"))
	// The quota of one is used up now: who becomes authorized next has to go.
	second.askSignin(t, `{"id":"1"}`)
	second.expectCloseAfterFrames(t, 4004, "Application is over connection quota")
	third.expectClose(t, 4009, textNotAuthorized)
	first.expectNothing(t)
}

// expectCloseAfterFrames is expectClose where §5 leaves open what may come
// before.
func (c *client) expectCloseAfterFrames(t testing.TB, code int, reason string) {
	t.Helper()
	for {
		got := c.next(t, patience)
		if got.err == nil {
			continue
		}
		var closing websocket.CloseError
		if !errors.As(got.err, &closing) || int(closing.Code) != code || closing.Reason != reason {
			t.Fatalf("ended with %v, want close %d %q", got.err, code, reason)
		}
		return
	}
}
