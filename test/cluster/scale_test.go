package cluster

import (
	"os"
	"time"
)

// scale is how much of everything there is.
type scale struct {
	lease   time.Duration
	lasting time.Duration // of a fault
	clients int           // of each node, beside publishers and visitors
	pace    time.Duration // between the events of a publisher
	stay    time.Duration // of a visitor, at most
	worlds  int           // that exist at the same time
}

// form is the scale of this run.
var form = func() scale {
	if os.Getenv("PIPESOCKETD_FAULTS") == "long" {
		return scale{
			lease: 6 * time.Second, lasting: 15 * time.Second, clients: 80,
			pace: 10 * time.Millisecond, stay: time.Second, worlds: 1,
		}
	}
	return scale{
		lease: 2 * time.Second, lasting: 4 * time.Second, clients: 12,
		pace: 50 * time.Millisecond, stay: 500 * time.Millisecond, worlds: 5,
	}
}()

// bound is how soon after the beginning or the end of a fault everything has to be
// as it should: what the documentation promises for the default lease.
func (s scale) bound() time.Duration { return 10 * time.Second }

// grace is the delay of webhooks that something has ended.
const grace = 300 * time.Millisecond
