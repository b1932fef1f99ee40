package main

import (
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func testVerifier() *verifier {
	return &verifier{
		secrets: map[string]string{"old": "old-secret", "new": "new-secret"},
		maxAge:  5 * time.Minute,
		now:     func() time.Time { return noon },
	}
}

func sign(secret, body string) string { return hex.EncodeToString(mac(secret, []byte(body))) }

// body returns a webhook made at noon and later.
func body(later time.Duration, events ...string) string {
	ms := noon.Add(later).UnixMilli()
	return `{"time_ms":` + strconv.FormatInt(ms, 10) + `,"events":[` + strings.Join(events, ",") + `]}`
}

const occupied = `{"name":"channel_occupied","channel":"orders"}`

func TestVerify(t *testing.T) {
	good := body(0, occupied)
	tests := map[string]struct {
		key, signature, body string
		want                 error
	}{
		"any of the keys":                 {"new", sign("new-secret", good), good, nil},
		"the oldest of the keys":          {"old", sign("old-secret", good), good, nil},
		"upper-case hex":                  {"old", strings.ToUpper(sign("old-secret", good)), good, nil},
		"as old as may be":                {"old", sign("old-secret", body(-5*time.Minute, occupied)), body(-5*time.Minute, occupied), nil},
		"as early as may be":              {"old", sign("old-secret", body(5*time.Minute, occupied)), body(5*time.Minute, occupied), nil},
		"older":                           {"old", sign("old-secret", body(-300001*time.Millisecond, occupied)), body(-300001*time.Millisecond, occupied), errAge},
		"earlier":                         {"old", sign("old-secret", body(300001*time.Millisecond, occupied)), body(300001*time.Millisecond, occupied), errAge},
		"another secret":                  {"old", sign("new-secret", good), good, errSignature},
		"another body":                    {"old", sign("old-secret", good), good + " ", errSignature},
		"an unknown key":                  {"none", sign("", good), good, errSignature},
		"no key":                          {"", sign("", good), good, errSignature},
		"no signature":                    {"old", "", good, errSignature},
		"half a signature":                {"old", sign("old-secret", good)[:32], good, errSignature},
		"no hex":                          {"old", "zz", good, errSignature},
		"nonsense with a right signature": {"old", sign("old-secret", "nonsense"), "nonsense", errBody},
		"no events":                       {"old", sign("old-secret", body(0)), body(0), errBody},
		"an event without a channel":      {"old", sign("old-secret", body(0, `{"name":"x"}`)), body(0, `{"name":"x"}`), errBody},
		"an event that is no object":      {"old", sign("old-secret", body(0, `[]`)), body(0, `[]`), errBody},
		"a body that is no UTF-8":         {"old", sign("old-secret", body(0, "{\"name\":\"\xff\"}")), body(0, "{\"name\":\"\xff\"}"), errBody},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			hook, err := testVerifier().verify(test.key, test.signature, "", []byte(test.body))
			if !errors.Is(err, test.want) || (hook == nil) != (test.want != nil) {
				t.Fatalf("got %+v, %v, want error %v", hook, err, test.want)
			}
			if hook != nil && (hook.Key != test.key || len(hook.ID) != 32 || len(hook.Events) != 1) {
				t.Errorf("got %+v", hook)
			}
		})
	}
}

func TestAnyAge(t *testing.T) {
	v := testVerifier()
	v.maxAge = 0
	old := body(-72*time.Hour, occupied)
	if _, err := v.verify("old", sign("old-secret", old), "", []byte(old)); err != nil {
		t.Error(err)
	}
}

func TestParse(t *testing.T) {
	text := body(0,
		`{"name":"client_event","channel":"presence-x","event":"client-a","data":"{\"a\":\"\\u0000 ä\"}","socket_id":"1.2","user_id":"7"}`,
		`{"name":"subscription_count","channel":"x","subscription_count":3}`,
		`{"name":"of a later version","channel":"x","more":{}}`)
	hook, err := parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	e := hook.Events[0]
	if e.Name != "client_event" || e.Channel != "presence-x" || e.Event != "client-a" || e.Data != `{"a":"\u0000 ä"}` ||
		e.SocketID != "1.2" || e.UserID != "7" || e.SubscriptionCount != nil {
		t.Errorf("got %+v", e)
	}
	if n := hook.Events[1].SubscriptionCount; n == nil || *n != 3 {
		t.Errorf("count %v", n)
	}
	if got := hook.Events[2].JSON; got != `{"name":"of a later version","channel":"x","more":{}}` {
		t.Errorf("kept %s", got)
	}
	if hook.TimeMS != noon.UnixMilli() {
		t.Errorf("time %d", hook.TimeMS)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(body(0, occupied)))
	f.Add([]byte(body(0, occupied, `{"name":"a","channel":"b","subscription_count":1.5}`)))
	f.Fuzz(func(t *testing.T, text []byte) {
		hook, err := parse(text)
		if err != nil {
			if !errors.Is(err, errBody) {
				t.Errorf("error %v", err)
			}
			return
		}
		if hook.TimeMS <= 0 || len(hook.Events) == 0 {
			t.Errorf("got %+v", hook)
		}
		for _, e := range hook.Events {
			again, err := parseEvent([]byte(e.JSON))
			if err != nil || again.Name != e.Name || again.Channel != e.Channel || e.Name == "" || e.Channel == "" {
				t.Errorf("%+v read again is %+v, %v", e, again, err)
			}
		}
	})
}
