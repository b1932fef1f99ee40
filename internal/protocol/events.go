package protocol

// Events of the protocol (§2.6, §2.7).
const (
	EventConnectionEstablished = "pusher:connection_established"
	EventError                 = "pusher:error"
	EventPing                  = "pusher:ping"
	EventPong                  = "pusher:pong"
	EventSubscribe             = "pusher:subscribe"
	EventUnsubscribe           = "pusher:unsubscribe"
	EventSignin                = "pusher:signin"
	EventSigninSuccess         = "pusher:signin_success"
	EventSubscriptionError     = "pusher:subscription_error"
	EventCacheMiss             = "pusher:cache_miss"

	EventSubscriptionSucceeded = "pusher_internal:subscription_succeeded"
	EventMemberAdded           = "pusher_internal:member_added"
	EventMemberRemoved         = "pusher_internal:member_removed"
	EventSubscriptionCount     = "pusher_internal:subscription_count"
	EventWatchlistEvents       = "pusher_internal:watchlist_events"

	// EventInternalSubscriptionError completes a pending subscribe call of the
	// .NET client at once (§3.5); off by default.
	EventInternalSubscriptionError = "pusher_internal:subscription_error"

	// ClientEventPrefix begins the name of every client event, case-sensitively.
	ClientEventPrefix = "client-"

	// ReservedPrefix begins the names that backends may not trigger.
	ReservedPrefix = "pusher"
)

// MaxEventName is the longest event name, in characters (§7.10).
const MaxEventName = 200

// Versions of the protocol that are served (§1.3).
const (
	MinVersion     = 4
	MaxVersion     = 7
	UnknownVersion = 0
)
