package conformance

import "testing"

const textTerminated = "You got disconnected by the app."

func TestTerminateConnections(t *testing.T) {
	prove(t, []statement{
		{"P-162 closes all connections signed in as the user", terminateCloses},
		{"P-163 leaves presence members of that id alone", terminateSparesMembers},
		{"P-164 the user can come back", terminatedReturns},
	})
}

// terminate ends the connections of the user; it must be accepted.
func (a api) terminate(t testing.TB, user string) {
	t.Helper()
	a.do(t, call{path: "/users/" + user + "/terminate_connections", body: "{}"}).ok(t, "{}")
}

// expectTerminated requires error frame and close of §5.4.
func (c *client) expectTerminated(t testing.TB) {
	t.Helper()
	c.expectError(t, 4009, textTerminated)
	c.expectClose(t, 4009, textTerminated)
}

func terminateCloses(t *testing.T) {
	s := shared(t)
	user := unique("u-")
	var theirs []*client
	for version := 4; version <= 7; version++ {
		c := connectVersion(t, s, plain, version)
		c.signin(t, `{"id":"`+user+`"}`)
		theirs = append(theirs, c)
	}
	bystander := connect(t, s, plain)
	bystander.signin(t, `{"id":"`+user+`x"}`)
	namesake := connect(t, s, other) // the same id, in another app
	namesake.signin(t, `{"id":"`+user+`"}`)

	s.api(plain).terminate(t, user)
	for _, c := range theirs {
		c.expectTerminated(t)
	}
	bystander.expectNothing(t)
	namesake.expectNothing(t)
}

func terminateSparesMembers(t *testing.T) {
	s := shared(t)
	channel, user := unique("presence-"), unique("u-")
	member, signedIn := connect(t, s, plain), connect(t, s, plain)
	member.joinAs(t, channel, user)
	signedIn.signin(t, `{"id":"`+user+`"}`)
	s.api(plain).terminate(t, user)
	signedIn.expectTerminated(t)
	member.expectNothing(t)
	s.api(plain).get(t, "/channels/"+channel+"/users", "").ok(t, `{"users":[{"id":"`+user+`"}]}`)
}

func terminatedReturns(t *testing.T) {
	s := shared(t)
	user := unique("u-")
	c := connect(t, s, plain)
	c.signin(t, `{"id":"`+user+`"}`)
	s.api(plain).terminate(t, user)
	c.expectTerminated(t)

	again := connect(t, s, plain)
	again.signin(t, `{"id":"`+user+`"}`)
	again.subscribe(t, toUser(user))
	s.api(plain).trigger(t, toUser(user), "welcome", "back")
	again.expectEvent(t, "welcome", toUser(user), "back")
}
