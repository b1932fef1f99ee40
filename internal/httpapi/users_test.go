package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// P-214
func TestUsers(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.want(get("/apps/3/channels/presence-a/users"), http.StatusOK, `{"users":[]}`)
		f.member("presence-a", "2")
		f.member("presence-a", "1")
		f.member("presence-a", "1")
		f.member("presence-a", `ż\"\u000a<`)
		f.want(get("/apps/3/channels/presence-a/users"), http.StatusOK, `{"users":[{"id":"1"},{"id":"2"},{"id":"ż\"\n<"}]}`)
		// A number is told as a string.
		number := f.connect()
		number.subscribe("presence-n", `{"user_id":10}`)
		f.want(get("/apps/3/channels/presence-n/users"), http.StatusOK, `{"users":[{"id":"10"}]}`)
		for _, channel := range []string{"public", "private-p", "presence", "%23server-to-user-1"} {
			f.want(get("/apps/3/channels/"+channel+"/users"), http.StatusBadRequest, "Users can only be retrieved for presence channels")
		}
		f.want(get("/apps/3/channels/presence-%20/users"), http.StatusBadRequest, "Invalid channel name presence- ")
	})
}

// P-216, P-217
func TestTerminateConnections(t *testing.T) {
	for name, path := range map[string]string{"": "/apps/3/users/42/terminate_connections", "alias": "/users/42/terminate_connections"} {
		for _, body := range []string{"", "{}", "whatever", `{"a":`} {
			t.Run(name+" "+body, func(t *testing.T) {
				bubble(t, func(f *fixture) {
					signedIn, member := f.connect(), f.member("presence-a", "42")
					signedIn.signIn("42")
					f.want(post(path, body), http.StatusOK, "{}")
					synctest.Wait()
					if got := signedIn.closeReason(); got != protocol.CloseTerminated {
						f.t.Errorf("the user's connection: %v, want %v", got, protocol.CloseTerminated)
					}
					if got := member.closeReason(); got != (protocol.CloseError{}) {
						f.t.Errorf("a connection that only uses the id: %v", got)
					}
				})
			})
		}
	}
}

// P-216
func TestTerminateConnectionsOfNobody(t *testing.T) {
	f := newFixture(t)
	for _, user := range []string{"nobody", "%20", "a%2Fb", "%C5%BC", strings.Repeat("u", 200), strings.Repeat("%C5%BC", 200), "%2520", "+", "%00"} {
		f.want(post("/apps/3/users/"+user+"/terminate_connections", ""), http.StatusOK, "{}")
	}
	for _, user := range []string{strings.Repeat("u", 201), "%FF", ""} {
		f.want(post("/apps/3/users/"+user+"/terminate_connections", ""), http.StatusBadRequest, "Invalid user id")
		f.want(post("/users/"+user+"/terminate_connections", ""), http.StatusBadRequest, "Invalid user id")
	}
}

// P-217: the app comes from the key, and the key from the app.
func TestTerminateAliasKnowsTheAppByItsKey(t *testing.T) {
	bubble(t, func(f *fixture) {
		s := f.connect()
		s.signIn("42")
		const path = "/users/42/terminate_connections"
		other := post(path, "")
		other.pair = otherPair
		f.want(other, http.StatusOK, "{}") // another app's user 42
		if got := s.closeReason(); got != (protocol.CloseError{}) {
			f.t.Errorf("closed by another app: %v", got)
		}
		for query, want := range map[string]string{
			"a=b":             "Missing parameter: auth_key",
			"auth_key=" + "x": "Missing parameter: auth_timestamp",
			"auth_key=x&auth_timestamp=1&auth_version=1.0&auth_signature=00": "Unknown auth_key",
			"auth_key=x&auth_timestamp=1&auth_version=2.0&auth_signature=00": "Unsupported auth_version",
		} {
			f.want(request{method: "POST", path: path, query: query}, http.StatusUnauthorized, want)
		}
		mixed := post(path, "")
		mixed.pair.Key, mixed.pair.Secret = pair.Key, otherPair.Secret
		if got := f.send(mixed); got.Code != http.StatusUnauthorized {
			f.t.Errorf("another app's secret: status %d", got.Code)
		}
	})
}
