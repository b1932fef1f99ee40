package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// keeping makes an app keep the events of the channels of a pattern.
func keeping(pattern string) func(*httpapi.Options, *apps.App) {
	return func(_ *httpapi.Options, app *apps.App) {
		glob, ok := protocol.ParseChannelGlob(pattern)
		if !ok {
			panic(pattern)
		}
		app.History.Channels = []*protocol.ChannelGlob{glob}
	}
}

// pastEvents is a history that answers every query alike and notes the last.
type pastEvents struct {
	page  hub.HistoryPage
	err   error
	asked hub.HistoryQuery
}

func (p *pastEvents) Page(_ context.Context, q hub.HistoryQuery) (hub.HistoryPage, error) {
	p.asked = q
	return p.page, p.err
}

func withHistory(h hub.History) func(*httpapi.Options, *apps.App) {
	return func(o *httpapi.Options, _ *apps.App) { o.History = h }
}

const historyOfRoom = "/apps/3/channels/presence-room/history"

func TestHistoryAnswer(t *testing.T) {
	past := &pastEvents{}
	f := newFixture(t, keeping("presence-*"), withHistory(past))
	f.want(get(historyOfRoom), http.StatusOK, `{"events":[]}`)
	past.page = hub.HistoryPage{
		Events: []hub.PastEvent{
			{ID: "7", Time: time.UnixMilli(1_700_000_000_123), Name: "a\"b", Data: protocol.Payload(`"{\"x\":\"\u00e9é\"}"`)},
			{ID: "9", Time: time.UnixMilli(5), Name: "client-e", Data: protocol.Payload(`""`), SocketID: "1.2", UserID: "ü\n"},
		},
		Next: "abc_-",
	}
	f.want(get(historyOfRoom), http.StatusOK, `{"events":[`+
		`{"id":"7","time_ms":1700000000123,"name":"a\"b","data":"{\"x\":\"\u00e9é\"}"},`+
		`{"id":"9","time_ms":5,"name":"client-e","data":"","socket_id":"1.2","user_id":"ü\n"}],"next":"abc_-"}`)
}

func TestHistoryQueries(t *testing.T) {
	past := &pastEvents{}
	f := newFixture(t, keeping("*"), withHistory(past))
	want := func(change func(*hub.HistoryQuery)) hub.HistoryQuery {
		q := hub.HistoryQuery{App: "3", Channel: "presence-room", Limit: 100}
		change(&q)
		return q
	}
	for _, tt := range []struct {
		params []string
		want   hub.HistoryQuery
	}{
		{nil, want(func(*hub.HistoryQuery) {})},
		{[]string{"limit", "1", "order", "newest"}, want(func(q *hub.HistoryQuery) { q.Limit = 1 })},
		{[]string{"limit", "1000", "order", "oldest"}, want(func(q *hub.HistoryQuery) { q.Limit, q.OldestFirst = 1000, true })},
		{
			[]string{"from", "1700000000000", "to", "1700000000001", "cursor", "x_-"},
			want(func(q *hub.HistoryQuery) {
				q.From, q.To, q.Cursor = time.UnixMilli(1_700_000_000_000), time.UnixMilli(1_700_000_000_001), "x_-"
			}),
		},
		{[]string{"from", "0", "order", ""}, want(func(q *hub.HistoryQuery) { q.From = time.UnixMilli(0) })},
		{[]string{"to", "9223372036854775807"}, want(func(q *hub.HistoryQuery) { q.To = time.UnixMilli(1<<63 - 1) })},
	} {
		f.want(get(historyOfRoom, tt.params...), http.StatusOK, `{"events":[]}`)
		if !reflect.DeepEqual(past.asked, tt.want) {
			t.Errorf("%v asked %+v, want %+v", tt.params, past.asked, tt.want)
		}
	}
	f.want(get("/apps/3/channels/%23server-to-user-7/history"), http.StatusOK, `{"events":[]}`)
	if past.asked.Channel != "#server-to-user-7" {
		t.Errorf("asked %+v", past.asked)
	}
}

func TestHistoryRefuses(t *testing.T) {
	past := &pastEvents{}
	f := newFixture(t, keeping("presence-*"), withHistory(past))
	const limit, order = "limit should be a whole number from 1 to 1000", "order should be newest or oldest"
	for _, tt := range []struct {
		params []string
		want   string
	}{
		{[]string{"limit", "0"}, limit},
		{[]string{"limit", "-1"}, limit},
		{[]string{"limit", "1001"}, limit},
		{[]string{"limit", "10.0"}, limit},
		{[]string{"limit", ""}, limit},
		{[]string{"limit", "99999999999999999999"}, limit},
		{[]string{"order", "Newest"}, order},
		{[]string{"order", "asc"}, order},
		{[]string{"from", "-1"}, "from should be a time in Unix milliseconds"},
		{[]string{"from", "2026-01-02"}, "from should be a time in Unix milliseconds"},
		{[]string{"from", ""}, "from should be a time in Unix milliseconds"},
		{[]string{"to", "9223372036854775808"}, "to should be a time in Unix milliseconds"},
	} {
		f.want(get(historyOfRoom, tt.params...), http.StatusBadRequest, tt.want)
	}
	f.want(get("/apps/3/channels/a%20b/history"), http.StatusBadRequest, "Invalid channel name a b")
	f.want(get("/apps/3/channels/private-room/history", "limit", "0"), http.StatusNotFound, "History is not kept for this channel")
	off := get("/apps/4/channels/presence-room/history")
	off.pair = otherPair
	f.want(off, http.StatusNotFound, "History is off for this app")
	for err, want := range map[error]struct {
		status int
		text   string
	}{
		fmt.Errorf("x: %w", hub.ErrHistoryCursor):      {http.StatusBadRequest, "Invalid cursor"},
		fmt.Errorf("x: %w", hub.ErrHistoryUnavailable): {http.StatusServiceUnavailable, "History is not available"},
		errors.New("secret"):                           {http.StatusInternalServerError, "Internal error"},
	} {
		past.err = err
		f.want(get(historyOfRoom), want.status, want.text)
	}
	none := newFixture(t, keeping("*"))
	none.want(get(historyOfRoom), http.StatusNotFound, "History is off for this app")
	f.want(post(historyOfRoom, "{}"), http.StatusMethodNotAllowed, "Method not allowed")
	f.want(request{method: "GET", path: historyOfRoom, query: "limit=1"}, http.StatusUnauthorized, "Missing parameter: auth_key")
}

// An answer is JSON whatever was stored, and has it unchanged.
func FuzzHistoryAnswer(f *testing.F) {
	f.Add("my-event", `{"x":1}`, "1.2", "ann")
	f.Add("\x00\"\\\u2028", "\xff", "", "\u007f")
	f.Fuzz(func(t *testing.T, name, data, socketID, userID string) {
		for _, text := range []*string{&name, &data, &socketID, &userID} {
			*text = strings.ToValidUTF8(*text, "?") // as they enter the server
		}
		past := &pastEvents{page: hub.HistoryPage{Events: []hub.PastEvent{{
			ID: "1", Time: time.UnixMilli(2), Name: name, Data: protocol.PayloadOfText(data), SocketID: protocol.SocketID(socketID), UserID: userID,
		}}}}
		answer := newFixture(t, keeping("*"), withHistory(past)).send(get(historyOfRoom)).Body.Bytes()
		var got struct {
			Events []map[string]any
		}
		if err := json.Unmarshal(answer, &got); err != nil || len(got.Events) != 1 {
			t.Fatalf("%s: %v", answer, err)
		}
		e := got.Events[0]
		or := func(v any) any {
			if v == nil {
				return ""
			}
			return v
		}
		if e["name"] != name || e["data"] != data || or(e["socket_id"]) != socketID || or(e["user_id"]) != userID {
			t.Fatalf("%s", answer)
		}
	})
}
