package hostile

import "slices"

// Behaviour is what a receiver does with one request.
type Behaviour string

// Behaviours that a sender must take for a delivery: the status is 2xx, and
// what the body says or how it ends is of no interest.
const (
	Accept         Behaviour = "accept"           // 200 without a body
	AcceptAndClose Behaviour = "accept and close" // 200 that promises to keep the connection, and its end
	SlowBody       Behaviour = "slow body"        // 200 and a body by the byte that never ends
	HugeBody       Behaviour = "huge body"        // 200 and as much body as is taken
	BadChunks      Behaviour = "bad chunks"       // 200 and a chunked body that is none
	ShortBody      Behaviour = "short body"       // 200 and the end of the connection in the middle of the body
)

// Behaviours that a sender must take for a failure.
const (
	Fail        Behaviour = "fail"          // 500
	Busy        Behaviour = "busy"          // 429 with Retry-After: 1
	Redirect    Behaviour = "redirect"      // 307 to RedirectPath of the same receiver
	Upgrade     Behaviour = "upgrade"       // 101
	Surplus     Behaviour = "surplus"       // 500, and a 200 that nobody asked for right after it
	Hang        Behaviour = "hang"          // the request is read and nothing follows
	SlowHead    Behaviour = "slow head"     // a status line and headers by the byte that never end
	HugeHead    Behaviour = "huge head"     // as many headers as are taken
	EndlessHint Behaviour = "endless hint"  // 103 as often as it is taken
	Garbage     Behaviour = "garbage"       // bytes that are no HTTP
	HalfAnswer  Behaviour = "half answer"   // the beginning of a 200
	CloseLate   Behaviour = "close late"    // the request is read, then the connection ends
	CloseEarly  Behaviour = "close early"   // the connection is reset after the head of the request
	CloseAtOnce Behaviour = "close at once" // the connection is reset before anything is read
)

// RedirectPath is where Redirect leads. A request for it shows that a redirect
// was followed.
const RedirectPath = "/redirected"

// accepting are the behaviours with a status of 2xx.
var accepting = []Behaviour{Accept, AcceptAndClose, SlowBody, HugeBody, BadChunks, ShortBody}

// failing are all others.
var failing = []Behaviour{
	Fail, Busy, Redirect, Upgrade, Surplus, Hang, SlowHead, HugeHead, EndlessHint, Garbage, HalfAnswer,
	CloseLate, CloseEarly, CloseAtOnce,
}

// All returns every behaviour.
func All() []Behaviour { return slices.Concat(accepting, failing) }

// Delivers reports whether a sender must take the behaviour for a delivery.
func (b Behaviour) Delivers() bool { return slices.Contains(accepting, b) }

// Records reports whether the request is read whole before the behaviour shows,
// and so will be found among the requests of the receiver.
func (b Behaviour) Records() bool { return b != CloseEarly && b != CloseAtOnce }

// Plan says what to do with the nth request, counted from 1. It is asked when
// the first byte of the request has come and before anything is read, by several
// goroutines at a time.
type Plan func(n int) Behaviour

// Always does the same with every request.
func Always(b Behaviour) Plan { return func(int) Behaviour { return b } }

// Times does something with the first n requests and accepts the others.
func Times(n int, b Behaviour) Plan {
	return func(i int) Behaviour {
		if i <= n {
			return b
		}
		return Accept
	}
}

// Cycle goes round these behaviours.
func Cycle(all ...Behaviour) Plan {
	return func(i int) Behaviour { return all[(i-1)%len(all)] }
}
