package apps

import (
	"cmp"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// Endpoint is one webhook receiver of an app (§8.3). It gets the events it lists
// about channels that match all its filters.
type Endpoint struct {
	URL           string
	Events        []string // names of §8.2; an endpoint gets no others
	ChannelPrefix string   // "" for any
	ChannelSuffix string   // "" for any
	ChannelGlob   string   // as protocol.ChannelGlob takes it; "" for any
	Headers       []Header // sent with every request

	// Batching collects events into one payload until it has BatchEvents of them
	// or BatchBytes, or until BatchWait after its first.
	Batching    bool
	BatchEvents int           // 0: 50
	BatchBytes  int           // of the body; 0: 256 KiB
	BatchWait   time.Duration // 0: 1 s

	SigningKey  string        // which of the app's keys signs; "": the oldest
	RetryFor    time.Duration // attempts go on for this long; 0: for 290 s, all with the same bytes
	MaxInFlight int           // requests at once; 0: 32
}

// Header is one header of an endpoint's requests. Its value is taken for a
// secret, since mostly it is one.
type Header struct {
	Name  string
	Value auth.Secret
}

// WithDefaults returns the endpoint with everything filled in whose zero value
// means a default other than zero (§8.5).
func (e Endpoint) WithDefaults() Endpoint {
	e.BatchEvents = cmp.Or(e.BatchEvents, 50)
	e.BatchBytes = cmp.Or(e.BatchBytes, 256<<10)
	e.BatchWait = cmp.Or(e.BatchWait, time.Second)
	e.MaxInFlight = cmp.Or(e.MaxInFlight, 32)
	return e
}
