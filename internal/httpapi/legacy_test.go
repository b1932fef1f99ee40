package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func legacy(channel, body string, params ...string) request {
	r := request{method: "POST", path: "/apps/3/channels/" + channel + "/events", body: body, params: url.Values{}}
	for i := 0; i < len(params); i += 2 {
		r.params.Add(params[i], params[i+1])
	}
	return r
}

// P-218
func TestLegacyTrigger(t *testing.T) {
	bubble(t, func(f *fixture) {
		a, b := f.connect("a"), f.connect("a")
		f.want(legacy("a", `{"some":"data"}`, "name", "foo"), http.StatusAccepted, "{}")
		wantDelivered(a, `foo a {"some":"data"}`)
		wantDelivered(b, `foo a {"some":"data"}`)
		f.want(legacy("a", " not \"JSON\"\n\x00 ż", "name", "foo", "socket_id", string(a.id())), http.StatusAccepted, "{}")
		wantDelivered(a)
		wantDelivered(b, "foo a  not \"JSON\"\n\x00 ż")
		f.want(legacy("a", "", "Name", "foo", "socket_id", ""), http.StatusAccepted, "{}")
		wantDelivered(a, "foo a ")
		wantDelivered(b, "foo a ")
		full := strings.Repeat("x", 10_240)
		f.want(legacy("a", full, "name", "foo"), http.StatusAccepted, "{}")
		wantDelivered(a, "foo a "+full)
		wantDelivered(b, "foo a "+full)

		const bad = http.StatusBadRequest
		f.want(legacy("a", "1\xff", "name", "foo"), bad, "The request is not valid UTF-8")
		f.want(legacy("a", `{"name":"foo"}`), bad, "Missing required parameter: name")
		f.want(legacy("a", "1", "name", "pusher:foo"), bad, "The 'pusher' namespace is reserved for internal usage")
		f.want(legacy("a", "1", "name", strings.Repeat("n", 201)), bad, "Event name too long (201 > 200)")
		f.want(legacy("a", "1", "name", "\xff"), bad, "The request is not valid UTF-8")
		f.want(legacy("a", "1", "name", "foo", "socket_id", "x"), bad, "Invalid socket_id")
		f.want(legacy("a:b", "1", "name", "foo"), bad, "Invalid channel name a:b")
		f.want(legacy("a", full+"x", "name", "foo"), http.StatusRequestEntityTooLarge,
			"The data content of this event exceeds the allowed maximum (10240 bytes).")
		wantDelivered(a)
	})
}

func TestLegacyStats(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.member("presence-a", "1")
		f.member("presence-a", "1")
		f.connect("public")
		for channel, want := range map[string]string{
			"presence-a":     `{"occupied":true,"user_count":1,"connection_count":2}`,
			"public":         `{"occupied":true,"connection_count":1}`,
			"empty":          `{"occupied":false,"connection_count":0}`,
			"presence-empty": `{"occupied":false,"user_count":0,"connection_count":0}`,
		} {
			f.want(get("/apps/3/channels/"+channel+"/stats"), http.StatusOK, want)
		}
		f.want(get("/apps/3/channels/a:b/stats"), http.StatusBadRequest, "Invalid channel name a:b")
	})
}
