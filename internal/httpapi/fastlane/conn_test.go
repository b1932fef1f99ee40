package fastlane

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Every answer is the one that net/http would have sent, byte for byte but for
// the date.
func TestAnswersAreThoseOfNetHTTP(t *testing.T) {
	api := newAPI(t, nil)
	s := newSite(t, api, generous)
	reference := &http.Server{Handler: api, ReadHeaderTimeout: time.Minute}
	l := listenTCP(t)
	go func() { _ = reference.Serve(l) }()
	t.Cleanup(func() { _ = reference.Close() })

	for name, tt := range map[string]struct {
		request string
		behind  int64 // how many of the requests net/http has to serve
	}{
		"a trigger":                    {trigger(plain, last), 0},
		"a trigger with info":          {trigger(`{"name":"e","channel":"c","data":"d","info":"subscription_count"}`, last), 0},
		"a batch":                      {post("/apps/3/batch_events", `{"batch":[`+plain+`]}`, last), 0},
		"two requests at once":         {trigger(plain) + trigger(plain, last), 0},
		"empty lines in between":       {trigger(plain) + "\r\n\r\n" + trigger(plain, last), 0},
		"a body that is no JSON":       {trigger(`{`, last), 0},
		"a body without an event":      {trigger(`{}`, last), 0},
		"an empty body":                {trigger(``, last), 0},
		"too much data":                {trigger(`{"name":"e","channel":"c","data":"`+strings.Repeat("x", 11<<10)+`"}`, last), 0},
		"a wrong signature":            {strings.Replace(trigger(plain, last), `"d"`, `"D"`, 1), 0},
		"a refusal and then a trigger": {trigger(`{}`) + trigger(plain, last), 0},
		"another method":               {get("/apps/3/channels", last), 1},
		"a trigger and then another":   {trigger(plain) + get("/apps/3/channels", last), 1},
		"another and then a trigger":   {get("/apps/3/channels") + trigger(plain, last), 2},
		"no key":                       {"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", 1},
		"an unknown app":               {post("/apps/4/events", plain, last), 1},
		"an encoded app":               {post("/apps/%33/events", plain, last), 1},
		"another endpoint":             {post("/apps/3/channels/c/events", `"d"`, last), 1},
		"an unknown path":              {post("/", plain, last), 1},
		"a body in chunks":             {strings.Replace(trigger("", last), "Content-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1), 1},
		"a body beyond the limit":      {"POST /apps/3/events?auth_key=" + pair.Key + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 99999999\r\n\r\n", 1},
		"no HTTP":                      {"hello\r\n\r\n", 0},
		"HTTP/1.0":                     {"POST /apps/3/events HTTP/1.0\r\n\r\n", 1},
		"a long head":                  {trigger(plain, "X: "+strings.Repeat("x", 2*maxHead), last), 1},
		"no host":                      {"POST /apps/3/events HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 0},
		"two lengths":                  {"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 1\r\n\r\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			before := s.behind.Load()
			got, want := exchange(t, s.dial(), tt.request), exchange(t, dial(t, l.Addr()), tt.request)
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if n := s.behind.Load() - before; n != tt.behind {
				t.Errorf("net/http served %d requests, want %d", n, tt.behind)
			}
		})
	}
}

func exchange(t *testing.T, c *client, request string) string {
	t.Helper()
	c.send(request)
	return c.rest()
}

// However a request is cut, its answer is the same.
func TestRequestsInPieces(t *testing.T) {
	s := newSite(t, newAPI(t, nil), generous)
	for name, text := range map[string]string{
		"served here":     trigger(plain) + trigger(plain, last),
		"served behind":   get("/apps/3/channels") + get("/apps/3/channels", last),
		"here and behind": trigger(plain) + get("/apps/3/channels", last),
	} {
		t.Run(name, func(t *testing.T) {
			want := exchange(t, s.dial(), text)
			if n := strings.Count(want, "HTTP/1.1 200 OK"); n != 2 {
				t.Fatalf("%d answers:\n%s", n, want)
			}
			c := s.dial()
			_ = c.SetNoDelay(true)
			for i := range len(text) {
				c.send(text[i : i+1])
			}
			if got := c.rest(); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// A body of any size that the API takes is served, and the memory for it follows
// what arrives, not what is announced.
func TestLargeBodies(t *testing.T) {
	s := newSite(t, newAPI(t, nil), generous)
	c := s.dial()
	large := `{"name":"e","channel":"c","data":"d","padding":"` + strings.Repeat("x", 900<<10) + `"}`
	for range 3 {
		c.send(trigger(large))
		if got := c.next(); got != "200: {}" {
			t.Fatal(got)
		}
		c.send(trigger(plain))
		if got := c.next(); got != "200: {}" {
			t.Fatal(got)
		}
	}
	if n := s.behind.Load(); n != 0 {
		t.Errorf("net/http served %d", n)
	}
}

// A connection that is taken over below net/http is the socket itself, and what
// came behind the request is not lost.
func TestTakenOver(t *testing.T) {
	s := newSite(t, newAPI(t, nil), generous)
	c := s.dial()
	c.send(trigger(plain))
	c.next()
	c.send("GET /hijack HTTP/1.1\r\nHost: x\r\n\r\nearly")
	want := "*net.TCPConn:early late"
	got := make([]byte, len(want))
	if _, err := io.ReadFull(c.reader, got[:len(want)-5]); err != nil {
		t.Fatal(err)
	}
	c.send(" late")
	if _, err := io.ReadFull(c.reader, got[len(want)-5:]); err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A panic is answered and ends nothing but its request.
func TestPanics(t *testing.T) {
	panics := true
	s := newSite(t, newAPI(t, func() {
		if panics {
			panics = false
			panic("broken")
		}
	}), generous)
	c := s.dial()
	c.send(trigger(plain) + trigger(plain))
	if got := c.next(); !strings.HasPrefix(got, "500: ") || strings.Contains(got, "broken") {
		t.Error(got)
	}
	if got := c.next(); got != "200: {}" {
		t.Error(got)
	}
}
