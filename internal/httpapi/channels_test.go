package httpapi_test

import (
	"net/http"
	"testing"
	"time"
)

// P-208, P-209, P-215
func TestChannels(t *testing.T) {
	const path = "/apps/3/channels"
	bubble(t, func(f *fixture) {
		f.want(get(path), http.StatusOK, `{"channels":{}}`)
		f.want(get(path, "filter_by_prefix", "presence-", "info", "user_count"), http.StatusOK, `{"channels":{}}`)
		// A cache channel that only holds an event is not occupied.
		f.want(post(events, `{"name":"e","channel":"cache-x","data":"1"}`), http.StatusOK, "{}")

		f.member("presence-a", "1")
		gone := f.member("presence-a", "1")
		f.member("presence-b", "1")
		f.member("presence-b", "2")
		s := f.connect("public", "private-p", "presence", "private-encrypted-e")
		s.signIn("42")
		s.subscribe("#server-to-user-42", "")

		tests := []struct {
			params []string
			want   string
		}{
			{nil, `{"channels":{"presence":{},"presence-a":{},"presence-b":{},"private-encrypted-e":{},"private-p":{},"public":{}}}`},
			{[]string{"info", ""}, `{"channels":{"presence":{},"presence-a":{},"presence-b":{},"private-encrypted-e":{},"private-p":{},"public":{}}}`},
			{[]string{"filter_by_prefix", ""}, `{"channels":{"presence":{},"presence-a":{},"presence-b":{},"private-encrypted-e":{},"private-p":{},"public":{}}}`},
			{[]string{"filter_by_prefix", "presence-"}, `{"channels":{"presence-a":{},"presence-b":{}}}`},
			{[]string{"FILTER_BY_PREFIX", "p"}, `{"channels":{"presence":{},"presence-a":{},"presence-b":{},"private-encrypted-e":{},"private-p":{},"public":{}}}`},
			{[]string{"filter_by_prefix", "presence-b"}, `{"channels":{"presence-b":{}}}`},
			{[]string{"filter_by_prefix", ".*"}, `{"channels":{}}`},
			{[]string{"filter_by_prefix", "#server-to-user-"}, `{"channels":{}}`},
			{[]string{"filter_by_prefix", "presence-", "info", "user_count"}, `{"channels":{"presence-a":{"user_count":1},"presence-b":{"user_count":2}}}`},
			{[]string{"filter_by_prefix", "presence-a", "info", "user_count,subscription_count"}, `{"channels":{"presence-a":{"user_count":1,"subscription_count":2}}}`},
			{[]string{"filter_by_prefix", "pu", "info", "subscription_count"}, `{"channels":{"public":{"subscription_count":1}}}`},
		}
		for _, tt := range tests {
			f.want(get(path, tt.params...), http.StatusOK, tt.want)
		}
		gone.attachment.Detach(nil)
		s.attachment.Detach(nil)
		f.want(get(path, "filter_by_prefix", "p", "info", "subscription_count"), http.StatusOK,
			`{"channels":{"presence-a":{"subscription_count":1},"presence-b":{"subscription_count":2}}}`)
	})
}

// P-210, P-203
func TestChannelsRefuses(t *testing.T) {
	f := newFixture(t)
	const prefix = "user_count may only be requested for presence channels - please supply filter_by_prefix begining with presence-"
	const unknown = "info should be a comma separated list of attributes"
	for _, tt := range []struct {
		params []string
		want   string
	}{
		{[]string{"info", "user_count"}, prefix},
		{[]string{"info", "user_count", "filter_by_prefix", "presence"}, prefix},
		{[]string{"info", "subscription_count,user_count", "filter_by_prefix", "private-"}, prefix},
		{[]string{"info", "nope"}, unknown},
		{[]string{"info", "cache", "filter_by_prefix", "cache-"}, unknown},
	} {
		f.want(get("/apps/3/channels", tt.params...), http.StatusBadRequest, tt.want)
	}
}

// P-211, P-215
func TestChannel(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.member("presence-a", "1")
		f.member("presence-a", "1")
		f.member("presence-a", "2")
		f.connect("public")
		for _, tt := range []struct {
			channel, info, want string
		}{
			{"presence-a", "", `{"occupied":true}`},
			{"presence-a", "user_count", `{"occupied":true,"user_count":2}`},
			{"presence-a", "subscription_count,user_count", `{"occupied":true,"user_count":2,"subscription_count":3}`},
			{"public", "subscription_count", `{"occupied":true,"subscription_count":1}`},
			{"empty", "", `{"occupied":false}`},
			{"empty", "subscription_count", `{"occupied":false,"subscription_count":0}`},
			{"presence-empty", "user_count,subscription_count", `{"occupied":false,"user_count":0,"subscription_count":0}`},
			{"cache-empty", "cache", `{"occupied":false,"cache":null}`},
			{"%23server-to-user-42", "", `{"occupied":false}`},
			{"A-z_0%3D%40%2C.;", "", `{"occupied":false}`},
		} {
			f.want(get("/apps/3/channels/"+tt.channel, "info", tt.info), http.StatusOK, tt.want)
		}
	})
}

// P-212, P-213, P-203
func TestChannelRefuses(t *testing.T) {
	f := newFixture(t)
	const users = "Cannot retrieve the user count unless the channel is a presence channel"
	const cache = "Cannot retrieve the cache unless the channel is a cache channel"
	for _, tt := range []struct {
		channel, info, want string
	}{
		{"public", "user_count", users},
		{"private-p", "subscription_count,user_count", users},
		{"cache-presence-a", "user_count", users},
		{"public", "cache", cache},
		{"presence-a", "cache,user_count", cache},
		{"public", "nope", "info should be a comma separated list of attributes"},
		{"a%20b", "", "Invalid channel name a b"},
		{"a:b", "", "Invalid channel name a:b"},
		{"a%2Fb", "", "Invalid channel name a/b"},
		{"%23other", "", "Invalid channel name #other"},
		{"%00%0A%C3%BC", "", `Invalid channel name \u0000\nü`},
	} {
		f.want(get("/apps/3/channels/"+tt.channel, "info", tt.info), http.StatusBadRequest, tt.want)
	}
}

// P-213
func TestChannelCache(t *testing.T) {
	bubble(t, func(f *fixture) {
		const path = "/apps/3/channels/presence-cache-a"
		f.want(get(path, "info", "cache"), http.StatusOK, `{"occupied":false,"cache":null}`)
		f.want(post(events, `{"name":"e","channel":"presence-cache-a","data":"{\"x\":\"\\u00e9\u00e9\"}"}`), http.StatusOK, "{}")
		f.member("presence-cache-a", "1")
		cached := func(ttl string) string {
			return `{"occupied":true,"user_count":1,"subscription_count":1,"cache":{"data":"{\"x\":\"\\u00e9\u00e9\"}","ttl":` + ttl + `}}`
		}
		const all = "user_count,subscription_count,cache"
		f.want(get(path, "info", all), http.StatusOK, cached("1800"))
		time.Sleep(100 * time.Millisecond) // fake time: remaining seconds are rounded up
		f.want(get(path, "info", all), http.StatusOK, cached("1800"))
		time.Sleep(1700 * time.Second)
		f.want(get(path, "info", all), http.StatusOK, cached("100"))
		time.Sleep(99*time.Second + 899*time.Millisecond)
		f.want(get(path, "info", all), http.StatusOK, cached("1"))
		time.Sleep(time.Millisecond)
		f.want(get(path, "info", "cache"), http.StatusOK, `{"occupied":true,"cache":null}`)
	})
}
