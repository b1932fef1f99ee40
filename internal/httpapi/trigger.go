package httpapi

import (
	"net/http"
	"time"
)

// Trigger is a request to publish events that was read without net/http. It
// takes the same steps as one that came through [API.ServeHTTP] and gets the same
// answers. It is used by one goroutine.
type Trigger call

// BeginTrigger looks at a POST request whose head has arrived: path and query
// as received, length that of the body. It returns nil if the request has to go
// through ServeHTTP instead: nothing has happened then, nothing is counted, and
// the answer is made there. That is so for every path but those of the triggers,
// and for whoever cannot name a key of the app or has too large a body.
func (a *API) BeginTrigger(path, query string, length int64) *Trigger {
	e, appID := a.matchTrigger(path)
	if e == nil || length > a.maxBody {
		return nil
	}
	c := a.newCall(e)
	if c.admit(http.MethodPost, path, query, appID) != nil {
		c.release()
		return nil
	}
	return (*Trigger)(c)
}

// Answer is what the sender of a request gets.
type Answer struct {
	Status int
	Header string // whole lines, without those that every answer has
	Body   []byte
	Made   time.Time
}

// Header lines as writeJSON and writeError send them.
const (
	linesJSON = "Content-Type: application/json\r\n"
	linesText = "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
)

// Answer takes the body, which is only read and not kept, publishes, and returns
// the answer. It is valid until Release.
func (t *Trigger) Answer(body []byte) Answer {
	c := (*call)(t)
	answer := Answer{Status: c.endpoint.status, Header: linesJSON}
	if refusal := c.settle(func() error { return c.complete(body) }); refusal != nil {
		c.out = refusal.appendText(c.out[:0])
		answer = Answer{Status: refusal.Status, Header: linesText}
	}
	answer.Body = c.out
	answer.Made = c.count(answer.Status)
	return answer
}

// Release gives the trigger's memory back, answered or not. The trigger must not
// be used afterwards.
func (t *Trigger) Release() { (*call)(t).release() }
