package apps

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// ID names an app: decimal digits by convention, since several server libraries
// take nothing else.
type ID string

// App is one tenant. Its fields are the settings of docs/protocol.md §0 under
// the same names. All are set before the app enters a [Registry] and never
// change afterwards.
type App struct {
	ID      ID
	Keys    auth.Keys // active pairs, oldest first; at least one
	Enabled bool
	TLSOnly bool

	MaxConnections        int // 0: no quota
	AuthorizedConnections bool
	AuthorizedTimeout     time.Duration
	ActivityTimeout       time.Duration // whole seconds
	PongTimeout           time.Duration
	AllowedOrigins        []string // host patterns as in path.Match; empty: any origin
	BacklogBytes          int      // per connection, what a slow consumer may have waiting
	Compression           bool     // permessage-deflate for connections that offer it
	CompressionMinBytes   int      // payload of the shortest event frame that is compressed

	ClientEvents         bool
	ClientEventRate      int  // events per second and connection, also the burst
	ClientEventsVerbatim bool // relay data as it came instead of as a string

	SubscriptionCount bool
	Watchlist         bool
	MaxWatchlist      int

	MaxEventBytes         int // one event's data, decoded
	MaxChannelsPerTrigger int
	MaxBatch              int

	MaxPresenceMembers int
	MaxUserInfoBytes   int
	MaxUserIDChars     int

	CacheTTL time.Duration

	History  History
	Webhooks []Endpoint
}

// Defaults returns an app with every limit at its default and no credentials
// (§0, §7.10).
func Defaults() App {
	return App{
		Enabled:               true,
		AuthorizedTimeout:     30 * time.Second,
		ActivityTimeout:       120 * time.Second,
		PongTimeout:           30 * time.Second,
		BacklogBytes:          256 << 10,
		CompressionMinBytes:   512,
		ClientEventRate:       10,
		MaxWatchlist:          100,
		MaxEventBytes:         10_240,
		MaxChannelsPerTrigger: 100,
		MaxBatch:              10,
		MaxPresenceMembers:    100,
		MaxUserInfoBytes:      1_024,
		MaxUserIDChars:        128,
		CacheTTL:              30 * time.Minute,
		History:               History{MaxAge: 7 * 24 * time.Hour, MaxBytes: 1 << 30},
	}
}
