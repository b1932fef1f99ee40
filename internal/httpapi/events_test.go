package httpapi_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
)

const events = "/apps/3/events"

// wantDelivered compares what a socket has got since the last call.
func wantDelivered(s *socket, want ...string) {
	s.f.t.Helper()
	if got := s.delivered(); !slices.Equal(got, want) {
		s.f.t.Errorf("delivered\n got %q\nwant %q", got, want)
	}
}

// P-188, P-189
func TestTriggerDelivers(t *testing.T) {
	tests := []struct {
		name, body string
		a, b       []string
	}{
		{"channels", `{"name":"e","channels":["a","private-b"],"data":"{\"x\":1}"}`, []string{`e a {"x":1}`}, []string{`e a {"x":1}`, `e private-b {"x":1}`}},
		{"channel", `{"name":"e","channel":"a","data":"1"}`, []string{"e a 1"}, []string{"e a 1"}},
		{"channels win over channel", `{"name":"e","channels":["a"],"channel":"private-b","data":"1"}`, []string{"e a 1"}, []string{"e a 1"}},
		{"data character for character", `{"name":"e","channel":"a","data":" <b>&\u00e9\ud83d\ude00\\n\n\"  "}`, []string{"e a  <b>&é😀\\n\n\"  "}, []string{"e a  <b>&é😀\\n\n\"  "}},
		{"empty data", `{"name":"e","channel":"a","data":""}`, []string{"e a "}, []string{"e a "}},
		{"unknown members", `{"event_ids":{"x":[1]},"name":"e","channel":"a","data":"1","time":null}`, []string{"e a 1"}, []string{"e a 1"}},
		{"white space", " {\r\n\t\"name\" : \"e\" , \"channel\":\"a\", \"data\": \"1\" } \n", []string{"e a 1"}, []string{"e a 1"}},
		{"a name that looks like a client event", `{"name":"client-e","channel":"a","data":"1"}`, []string{"client-e a 1"}, []string{"client-e a 1"}},
		{"a name with escapes", `{"name":"caf\u00e9","channel":"a","data":"1"}`, []string{"café a 1"}, []string{"café a 1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(f *fixture) {
				a, b := f.connect("a"), f.connect("a", "private-b")
				f.want(post(events, tt.body), http.StatusOK, "{}")
				wantDelivered(a, tt.a...)
				wantDelivered(b, tt.b...)
			})
		})
	}
}

// P-201
func TestTriggerDeliversOtherValuesAsTheirText(t *testing.T) {
	bubble(t, func(f *fixture) {
		s := f.connect("a")
		for _, value := range []string{`{"b":1, "a":[1.50,"x"]}`, `[1,2]`, `12.30`, `true`, `{}`} {
			f.want(post(events, `{"name":"e","channel":"a","data":`+value+`}`), http.StatusOK, "{}")
			wantDelivered(s, "e a "+value)
		}
	})
}

// P-190
func TestTriggerByQuery(t *testing.T) {
	bubble(t, func(f *fixture) {
		a, b := f.connect("a"), f.connect("b")
		f.want(request{method: "POST", path: events, params: url.Values{
			"name": {"e"}, "data": {"hello world"}, "channels[]": {"a", "b"}, "socket_id": {string(b.id())},
		}}, http.StatusOK, "{}")
		wantDelivered(a, "e a hello world")
		wantDelivered(b)
		f.want(request{method: "POST", path: events, params: url.Values{
			"NAME": {"e"}, "Data": {"+"}, "channel": {"b"}, "socket_id": {""}, "info": {"subscription_count"},
		}}, http.StatusOK, `{"channels":{"b":{"subscription_count":1}}}`)
		wantDelivered(b, "e b +")
		// The body wins over the query, parameter by parameter.
		f.want(request{method: "POST", path: events, body: `{"name":"body","data":null,"channel":"a"}`, params: url.Values{
			"name": {"query"}, "data": {"1"}, "channels[]": {"b"},
		}}, http.StatusOK, "{}")
		wantDelivered(a, "body a 1")
		wantDelivered(b)
	})
}

// P-191
func TestNullsAreAbsent(t *testing.T) {
	bubble(t, func(f *fixture) {
		s := f.connect("a")
		f.want(post(events, `{"name":"e","channel":"a","channels":null,"data":"1","socket_id":null,"info":null}`), http.StatusOK, "{}")
		f.want(post(events, `{"name":"e","channel":null,"channels":["a"],"data":"2","socket_id":"","info":""}`), http.StatusOK, "{}")
		wantDelivered(s, "e a 1", "e a 2")
		f.want(post(events, `{"name":null,"channel":"a","data":"1"}`), http.StatusBadRequest, "Missing required parameter: name")
		f.want(post(events, `{"name":"e","channel":"a","data":null}`), http.StatusBadRequest, "Missing required parameter: data")
		f.want(post(events, `{"name":"e","channel":null,"data":"1"}`), http.StatusBadRequest, "Missing required parameter: channel")
	})
}

// P-192, P-193
func TestTriggerExcludesOneSocket(t *testing.T) {
	bubble(t, func(f *fixture) {
		a, b := f.connect("x", "y"), f.connect("x", "y")
		body := func(id string) string {
			return `{"name":"e","channels":["x","y"],"data":"1","socket_id":` + id + `}`
		}
		f.want(post(events, body(`"`+string(a.id())+`"`)), http.StatusOK, "{}")
		wantDelivered(a)
		wantDelivered(b, "e x 1", "e y 1")
		f.want(post(events, body(`"1.1"`)), http.StatusOK, "{}")
		wantDelivered(a, "e x 1", "e y 1")
		wantDelivered(b, "e x 1", "e y 1")
		for _, id := range []string{`"1"`, `"1."`, `".1"`, `"1.1.1"`, `"1.1x"`, `"1,1"`, `" 1.1"`, `"1.1\n"`, `1.1`, `{}`, `"١.١"`} {
			f.want(post(events, body(id)), http.StatusBadRequest, "Invalid socket_id")
		}
		wantDelivered(a)
	})
}

// P-194, P-195
func TestTriggerChannelLimits(t *testing.T) {
	bubble(t, func(f *fixture) {
		first, last := f.connect("c0"), f.connect("c99")
		names := make([]string, 101)
		for i := range names {
			names[i] = fmt.Sprintf(`"c%d"`, i)
		}
		body := func(names []string) string {
			return `{"name":"e","data":"1","channels":[` + strings.Join(names, ",") + `]}`
		}
		f.want(post(events, body(names)), http.StatusBadRequest, "Too many channels (101 > 100)")
		wantDelivered(first)
		f.want(post(events, body(names[:100])), http.StatusOK, "{}")
		wantDelivered(first, "e c0 1")
		wantDelivered(last, "e c99 1")

		f.want(post(events, body([]string{`"c0"`, `"c99"`, `"c0"`, `"c\u0030"`})), http.StatusOK, "{}")
		wantDelivered(first, "e c0 1")
		wantDelivered(last, "e c99 1")
		repeated := slices.Repeat([]string{`"c0"`, `"c99"`}, 50)
		f.want(post(events, body(repeated)), http.StatusOK, "{}")
		wantDelivered(first, "e c0 1")
		f.want(post(events, body(append(repeated, `"c0"`))), http.StatusBadRequest, "Too many channels (101 > 100)")
	})
}

// P-196
func TestTriggerDataLimit(t *testing.T) {
	const tooLarge = "The data content of this event exceeds the allowed maximum (10240 bytes)."
	body := func(data string) string { return `{"name":"e","channel":"a","data":` + data + `}` }
	for name, unit := range map[string]struct {
		text  string // as it stands in the body
		bytes int    // of data
	}{"ASCII": {"x", 1}, "escaped": {`\u0041`, 1}, "quotes": {`\"`, 1}, "two bytes": {"é", 2}, "a surrogate pair": {`\ud83d\ude00`, 4}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(f *fixture) {
				s := f.connect("a")
				full := strings.Repeat(unit.text, 10_240/unit.bytes)
				f.want(post(events, body(`"`+full+`"`)), http.StatusOK, "{}")
				if got := s.delivered(); len(got) != 1 || len(got[0]) != len("e a ")+10_240 {
					f.t.Errorf("%d events delivered", len(got))
				}
				f.want(post(events, body(`"`+full+`x"`)), http.StatusRequestEntityTooLarge, tooLarge)
				wantDelivered(s)
			})
		})
	}
	f := newFixture(t)
	array := "[" + strings.Repeat(" ", 10_237) + "1]"
	f.want(post(events, body(array)), http.StatusOK, "{}")
	f.want(post(events, body(array[:1]+" "+array[1:])), http.StatusRequestEntityTooLarge, tooLarge)
}

// The texts print the limits as they are configured.
func TestTriggerTellsConfiguredLimits(t *testing.T) {
	f := newFixture(t, func(_ *httpapi.Options, app *apps.App) {
		app.MaxEventBytes, app.MaxChannelsPerTrigger, app.MaxBatch = 4, 2, 1
	})
	f.want(post(events, `{"name":"e","channel":"a","data":"12345"}`), http.StatusRequestEntityTooLarge,
		"The data content of this event exceeds the allowed maximum (4 bytes).")
	f.want(post(events, `{"name":"e","channels":["a","b","c"],"data":"1"}`), http.StatusBadRequest, "Too many channels (3 > 2)")
	f.want(post("/apps/3/batch_events", `{"batch":[{},{}]}`), http.StatusBadRequest, "Batch too large (2 > 1)")
}

// P-197, P-198, P-199, P-200, P-203, P-221, P-222
func TestTriggerRefuses(t *testing.T) {
	with := func(member string) string { return `{"name":"e","channels":["good"],"data":"1",` + member + `}` }
	tests := []struct{ name, body, want string }{
		{"no name", `{"channels":["good"],"data":"1"}`, "Missing required parameter: name"},
		{"an empty name", `{"name":"","channels":["good"],"data":"1"}`, "Missing required parameter: name"},
		{"no data", `{"name":"e","channels":["good"]}`, "Missing required parameter: data"},
		{"no channel", `{"name":"e","data":"1"}`, "Missing required parameter: channel"},
		{"no channels", `{"name":"e","data":"1","channels":[]}`, "Missing required parameter: channel"},
		{"channels that are no array", `{"name":"e","data":"1","channels":"good","channel":"good"}`, "Missing required parameter: channel"},
		{"channels that are an object", `{"name":"e","data":"1","channels":{"0":"good"}}`, "Missing required parameter: channel"},
		{"an empty channel", `{"name":"e","data":"1","channel":""}`, "Missing required parameter: channel"},
		{"an empty body and query", "", "Missing required parameter: name"},
		{"an empty object", "{}", "Missing required parameter: name"},
		{"a number as name", `{"name":5,"channels":["good"],"data":"1"}`, "Expected name parameter to be a string"},
		{"an array as name", `{"name":["e"],"channels":["good"],"data":"1"}`, "Expected name parameter to be a string"},
		{"a long name", `{"name":"` + strings.Repeat("n", 201) + `","channels":["good"],"data":"1"}`, "Event name too long (201 > 200)"},
		{"a long name in characters", `{"name":"` + strings.Repeat("ż", 201) + `","channels":["good"],"data":"1"}`, "Event name too long (201 > 200)"},
		{"the reserved namespace", `{"name":"pusher:e","channels":["good"],"data":"1"}`, "The 'pusher' namespace is reserved for internal usage"},
		{"the internal namespace", `{"name":"pusher_internal:member_added","channels":["good"],"data":"1"}`, "The 'pusher' namespace is reserved for internal usage"},
		{"anything that begins so", `{"name":"pusher-notification","channels":["good"],"data":"1"}`, "The 'pusher' namespace is reserved for internal usage"},
		{"the reserved namespace in escapes", `{"name":"\u0070usher:e","channels":["good"],"data":"1"}`, "The 'pusher' namespace is reserved for internal usage"},
		{"one bad channel among good ones", `{"name":"e","channels":["good","b:d"],"data":"1"}`, "Invalid channel name b:d"},
		{"a number among the channels", `{"name":"e","channels":["good",7],"data":"1"}`, "Invalid channel name 7"},
		{"an array among the channels", `{"name":"e","channels":["good",["x"]],"data":"1"}`, `Invalid channel name ["x"]`},
		{"an empty channel among good ones", `{"name":"e","channels":["good",""],"data":"1"}`, "Invalid channel name "},
		{"a number as channel", `{"name":"e","channel":7,"data":"1"}`, "Invalid channel name 7"},
		{"a long channel", `{"name":"e","channel":"` + strings.Repeat("c", 201) + `","data":"1"}`, "Invalid channel name " + strings.Repeat("c", 201)},
		{"another name with #", `{"name":"e","channel":"#other","data":"1"}`, "Invalid channel name #other"},
		{"a server-to-user channel of nobody", `{"name":"e","channel":"#server-to-user-","data":"1"}`, "Invalid channel name #server-to-user-"},
		{"an unknown attribute", with(`"info":"user_count,nope"`), "info should be a comma separated list of attributes"},
		{"an attribute of another endpoint", with(`"info":"cache"`), "info should be a comma separated list of attributes"},
		{"an array as info", with(`"info":["user_count"]`), "info should be a comma separated list of attributes"},
		{"an attribute in capitals", with(`"info":"USER_COUNT"`), "info should be a comma separated list of attributes"},
		{"half an object", `{"name":"e"`, "The request body is not accepted: invalid JSON"},
		{"something behind the object", `{"name":"e","channel":"good","data":"1"} x`, "The request body is not accepted: invalid JSON"},
		{"a key twice", `{"name":"e","channel":"good","data":"1","channel":"other"}`, "The request body is not accepted: JSON object names a key twice"},
		{"bytes that are not UTF-8", "{\"name\":\"e\",\"channel\":\"good\",\"data\":\"\xff\"}", "The request body is not accepted: JSON is not valid UTF-8"},
		{"an array", `[{"name":"e","channel":"good","data":"1"}]`, "Expected the request body to be a JSON object"},
		{"a string", `"x"`, "Expected the request body to be a JSON object"},
		{"null", `null`, "Expected the request body to be a JSON object"},
		{"a form", `name=e&channel=good&data=1`, "The request body is not accepted: invalid JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(f *fixture) {
				s := f.connect("good")
				f.want(post(events, tt.body), http.StatusBadRequest, tt.want)
				wantDelivered(s)
			})
		})
	}
}

// Order of the checks: validation comes before size.
func TestTriggerValidatesBeforeSize(t *testing.T) {
	f := newFixture(t)
	huge := strings.Repeat("x", 10_241)
	f.want(post(events, `{"name":"e","channel":"a","data":"`+huge+`","info":"nope"}`), http.StatusBadRequest,
		"info should be a comma separated list of attributes")
	f.want(post("/apps/3/batch_events", `{"batch":[{"name":"e","channel":"a","data":"`+huge+`"},{"name":"e","channel":"b:d","data":"1"}]}`),
		http.StatusBadRequest, "Invalid channel name b:d")
}

func TestTriggerAcceptsNamesAtTheirLimits(t *testing.T) {
	f := newFixture(t)
	for _, body := range []string{
		`{"name":"` + strings.Repeat("ż", 200) + `","channel":"a","data":"1"}`,
		`{"name":"e","channel":"` + strings.Repeat("c", 200) + `","data":"1"}`,
		`{"name":"e","channel":"#server-to-user-` + strings.Repeat("u", 200) + `","data":"1"}`,
		`{"name":"Pusher:e","channel":"A-z_0=@,.;","data":"1"}`,
		`{"name":"client-e","channel":"private-encrypted-cache-x","data":"1"}`,
	} {
		f.want(post(events, body), http.StatusOK, "{}")
	}
}

// P-202, P-215
func TestTriggerInfo(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.member("presence-b", "1")
		f.member("presence-b", "1")
		f.member("presence-b", "2")
		f.connect("a")
		body := func(info string) string {
			return `{"name":"e","channels":["presence-b","a","empty","presence-empty","a"],"data":"1","info":"` + info + `"}`
		}
		for info, want := range map[string]string{
			"user_count,subscription_count":  `{"channels":{"presence-b":{"user_count":2,"subscription_count":3},"a":{"subscription_count":1},"empty":{"subscription_count":0},"presence-empty":{"user_count":0,"subscription_count":0}}}`,
			"subscription_count, user_count": `{"channels":{"presence-b":{"user_count":2,"subscription_count":3},"a":{"subscription_count":1},"empty":{"subscription_count":0},"presence-empty":{"user_count":0,"subscription_count":0}}}`,
			"user_count":                     `{"channels":{"presence-b":{"user_count":2},"a":{},"empty":{},"presence-empty":{"user_count":0}}}`,
			"subscription_count":             `{"channels":{"presence-b":{"subscription_count":3},"a":{"subscription_count":1},"empty":{"subscription_count":0},"presence-empty":{"subscription_count":0}}}`,
		} {
			f.want(post(events, body(info)), http.StatusOK, want)
		}
	})
}

func TestTriggerToOneUser(t *testing.T) {
	bubble(t, func(f *fixture) {
		s, other := f.connect(), f.connect()
		s.signIn("42")
		other.signIn("43")
		s.subscribe("#server-to-user-42", "")
		other.subscribe("#server-to-user-43", "")
		f.want(post(events, `{"name":"e","channel":"#server-to-user-42","data":"1"}`), http.StatusOK, "{}")
		wantDelivered(s, "e #server-to-user-42 1")
		wantDelivered(other)
	})
}

// The payload is in memory of its own: what later requests put into the pooled
// buffer cannot show in an event that is cached.
func TestPayloadOutlivesTheBuffer(t *testing.T) {
	f := newFixture(t)
	f.want(post(events, `{"name":"e","channel":"cache-a","data":"first"}`), http.StatusOK, "{}")
	for range 20 {
		f.want(post(events, `{"name":"e","channel":"b","data":"`+strings.Repeat("z", 200)+`"}`), http.StatusOK, "{}")
	}
	f.want(get("/apps/3/channels/cache-a", "info", "cache"), http.StatusOK, `{"occupied":false,"cache":{"data":"first","ttl":1800}}`)
}
