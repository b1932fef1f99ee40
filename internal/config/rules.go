package config

import "time"

// Limits that several rules share.
const (
	leastBytes = 1 << 10
	mostBytes  = 1 << 30
	// In a data directory: 1 TiB, or 1 GiB where an int has 32 bits.
	diskBytes = 1 << (30 + 10*(^uint(0)>>63))

	shortest = time.Millisecond
	longest  = 24 * time.Hour

	longestKept = 90 * 24 * time.Hour
)

// rules holds one entry for every key of Config.
var rules = map[string]rule{
	"listen": text("Address of the public listener, which serves WebSockets and the HTTP API.",
		listenLimits, checkListen),
	"mount": text("Path prefix of everything the public listener serves, such as `/realtime`.",
		"empty, or segments of letters, digits, `.`, `_`, `~`, `-` that each begin with `/`, and no `/` at the end",
		checkMount),
	"tls.cert_file": anything("PEM file with the certificate chain of the public listener. Given with `tls.key_file` or not at all."),
	"tls.key_file":  anything("PEM file with the private key of `tls.cert_file`."),
	"ops.listen": text("Address of the operations listener, which serves `/live`, `/ready`, `/metrics` and the operations API. Keep it private.",
		listenLimits+"; not that of `listen`", checkListen),
	"ops.pprof": anything("Serve profiles under `/debug/pprof/` on the operations listener."),
	"ops.token": text("What requests below `/api/` of the operations listener have to send as `Authorization: Bearer …`. Empty: they are taken from this machine only.",
		opsAccessLimits, checkToken),
	"ops.require_token": anything("Demand `ops.token` for everything else on the operations listener too, but `/live` and `/ready`."),
	"data_dir":          anything("Directory for what outlives the process: with one, webhooks that wait are kept on disk, and so is the history of apps. It is made if it is missing, holds what users have sent, and serves one process at a time. Empty: everything is in memory."),
	"drain_window": span("Time over which open connections are closed on a graceful stop, so that clients do not all return at once.",
		0, time.Hour),
	"development": anything("Explain signature mismatches in 401 answers: the text that was to be signed, never the secret. Implied by the development app."),
	"trusted_proxies": {
		meaning: "Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
		limits:  prefixLimits,
	},
	"error_before_close": choice("When a `pusher:error` frame precedes a close: for protocol versions that need it, or always.",
		Auto, ErrorAlways),
	"subscription_error_frames": choice("Frames that answer a refused subscription: `pusher:subscription_error` and `pusher:error`, or the latter only.",
		SubscriptionErrorBoth, SubscriptionErrorOnly),
	"internal_subscription_error": anything("Send `pusher_internal:subscription_error` first when a subscription is refused, which ends .NET's wait at once."),
	"default_protocol": {
		meaning: "Protocol version of clients that name none; 0 refuses them.",
		limits:  "0, or 4 to 7", check: checkProtocol,
	},
	"log.level": choice("Least severe level that is logged.", "debug", "info", "warn", "error"),
	"log.format": choice("Form of the log on standard error; `auto` is text on a terminal and JSON elsewhere.",
		Auto, LogText, LogJSON),

	"limits.max_connections": number("Open connections of the process; 0 is what the file-descriptor limit allows.", 0, unbounded),
	"limits.message_bytes":   number("One inbound WebSocket message, after inflating if it is compressed. Larger ones close the connection with 1009.", leastBytes, mostBytes),
	"limits.request_bytes":   number("Body of one HTTP API request. Larger ones are answered with 413.", leastBytes, mostBytes),
	"limits.header_bytes":    number("Header of one HTTP request.", leastBytes, 1<<20),
	"limits.frames_per_second": number("Inbound frames of one connection; beyond it the connection is read more slowly, not closed. 0 is no limit.",
		0, unbounded),
	"limits.connections_per_second_per_ip": number("New connections from one address; 0 is no limit.", 0, unbounded),
	"limits.connection_burst_per_ip":       number("New connections from one address at once, before `limits.connections_per_second_per_ip` holds.", 1, unbounded),
	"limits.exempt_addresses": {
		meaning: "Addresses without a limit on new connections.",
		limits:  prefixLimits,
	},

	"webhooks.allow_addresses": {
		meaning: "Private and loopback addresses that webhooks may be sent to. Others of that kind are refused, whatever name leads to them.",
		limits:  prefixLimits,
	},
	"webhooks.grace_delay": span("Wait before `channel_vacated` and `member_removed`, which a return within it cancels. 0 sends them at once.",
		0, time.Minute),
	"webhooks.timeout":       span("Time for one delivery attempt.", shortest, 2*time.Minute),
	"webhooks.max_in_flight": number("Requests that wait for answers of all receivers at the same time. One receiver gets at most half of them, whatever its own `max_in_flight` says. Each takes a file descriptor.", 2, 4096),
	"webhooks.queue_bytes": {
		meaning: "Payloads waiting for one receiver; beyond it the oldest are given up and counted. 0 is 64 MiB, or 1 GiB with `data_dir`.",
		limits:  queueLimits, check: checkQueueBytes,
	},
	"webhooks.total_bytes":      number("With `data_dir`: payloads waiting for all receivers together; beyond it the oldest of the longest queue are given up.", leastBytes, diskBytes),
	"webhooks.queue_age":        span("With `data_dir`: how long a payload waits at most, whatever `retry_for` says, and also for a receiver that was taken out of the configuration.", time.Minute, longestKept),
	"webhooks.dead_bytes":       number("With `data_dir`: payloads that were given up and are kept for `pipesocketd webhooks replay`; beyond it the oldest are deleted.", leastBytes, diskBytes),
	"webhooks.keep_dead":        span("With `data_dir`: how long those are kept.", time.Minute, longestKept),
	"webhooks.keep_attempts":    span("With `data_dir`: how long it is remembered how attempts ended, 200,000 of them at most.", time.Minute, longestKept),
	"webhooks.ca_file":          anything("PEM file with certificates of authorities that receivers may have theirs from, beside the authorities that the system trusts."),
	"webhooks.client_cert_file": anything("PEM file with the certificate chain that is shown to receivers which ask for one. Given with `webhooks.client_key_file` or not at all."),
	"webhooks.client_key_file":  anything("PEM file with the private key of `webhooks.client_cert_file`."),

	"history.database": text("PostgreSQL database for the events that apps keep, such as `postgres://user:password@host/name`. Empty: the file `history.db` in `data_dir`.",
		databaseLimits, checkDatabase),
	"history.buffer_bytes": number("Memory for events that wait for the database; beyond it events are missing in the history, and counted.", 1<<20, mostBytes),

	"apps": anything("Apps (tenants) to serve. None: the development app on a loopback listener, an app with random credentials on any other."),
	"apps[].id": required(text("Name of the app in HTTP API paths. Use digits: several server libraries take nothing else.",
		credentialLimits+"; unique", checkCredential)),
	"apps[].keys": required(anything("Key pairs that are in force, oldest first; the oldest signs webhooks.")),
	"apps[].keys[].key": required(text("Public half of the pair.",
		credentialLimits+"; unique over all apps", checkCredential)),
	"apps[].keys[].secret": required(text("Secret half of the pair.",
		credentialLimits, checkCredential)),
	"apps[].keys[].created": {
		meaning:  "When the pair was made, as an RFC 3339 time or a date. Pairs with a time are sorted by it.",
		required: true,
	},
	"apps[].enabled":           anything("Serve the app; false refuses connections with 4003 and requests with 403."),
	"apps[].tls_only":          anything("Refuse WebSockets without TLS with 4000."),
	"apps[].max_connections":   number("Connections of the app; 0 is no quota.", 0, unbounded),
	"apps[].client_events":     anything("Let clients send `client-` events to one another."),
	"apps[].client_event_rate": number("Client events of one connection per second.", 1, unbounded),
	"apps[].client_event_data": choice("Data of client events as receivers see it: always a string, or as the sender wrote it.",
		ClientEventString, ClientEventVerbatim),
	"apps[].subscription_count":       anything("Send subscription counts to subscribers and webhooks."),
	"apps[].watchlist":                anything("Tell signed-in users when users of their watchlist come and go."),
	"apps[].max_watchlist":            number("Users on one watchlist.", 1, unbounded),
	"apps[].authorized_connections":   anything("Close connections that neither sign in nor subscribe to a private channel in time."),
	"apps[].authorized_timeout":       span("The time of `authorized_connections`.", shortest, longest),
	"apps[].max_event_bytes":          number("Data of one event.", 1, mostBytes),
	"apps[].max_channels_per_trigger": number("Channels of one trigger request.", 1, unbounded),
	"apps[].max_batch":                number("Events of one batch request.", 1, unbounded),
	"apps[].max_presence_members":     number("Users on one presence channel.", 1, unbounded),
	"apps[].max_user_info_bytes":      number("`user_info` of one presence member.", 1, mostBytes),
	"apps[].max_user_id_chars":        number("`user_id` of one presence member.", 1, 1000),
	"apps[].cache_ttl":                span("How long a cache channel keeps its last event.", shortest, unbounded),
	"apps[].activity_timeout": {
		meaning: "Silence of a client after which the server asks for a sign of life; announced to clients.",
		limits:  "whole seconds, 1s to 24h", check: checkActivityTimeout,
	},
	"apps[].pong_timeout": span("Time for that sign of life, after which the connection is closed with 4201.", shortest, longest),
	"apps[].allowed_origins": list("Pages that may connect, by host: `app.example.com`, `*.example.com`, `https://localhost:8080`. Empty allows every page; clients that send no `Origin` are not affected.",
		"host patterns, with scheme and port where they matter; `*` stands for any text", checkOrigin),
	"apps[].backlog_bytes": number("Output that may wait for one slow connection; beyond it the connection is closed with 4100.",
		leastBytes, mostBytes),
	"apps[].compression":           anything("Compress events, once for all connections that offered `permessage-deflate` when they connected."),
	"apps[].compression_min_bytes": number("Shortest event that is compressed: its text on the wire, envelope included.", 1, mostBytes),

	"apps[].history.channels": list("Channels whose events are kept, by their whole names: `*` stands for any text, `?` for one character. Empty: history is off. Needs `data_dir` or `history.database`.",
		patternLimits, checkPattern),
	"apps[].history.max_age":   span("How long an event is kept; 0 is no bound.", 0, unbounded),
	"apps[].history.max_bytes": number("Room for the app's events, with about 64 bytes for each besides its texts; beyond it the oldest go. 0 is no bound.", 0, unbounded),

	"apps[].webhooks": anything("Receivers of the app's webhooks."),
	"apps[].webhooks[].url": required(text("Where to post. Private and loopback addresses need `webhooks.allow_addresses`.",
		"`http` or `https`, with a host", checkURL)),
	"apps[].webhooks[].events": required(list("What to report.",
		"one or more of `channel_occupied`, `channel_vacated`, `member_added`, `member_removed`, `client_event`, `cache_miss`, `subscription_count`", checkWebhookEvent)),
	"apps[].webhooks[].channel_prefix": text("Report only channels whose name begins with this.", channelPartLimits, checkChannelPart),
	"apps[].webhooks[].channel_suffix": text("Report only channels whose name ends in this.", channelPartLimits, checkChannelPart),
	"apps[].webhooks[].channel_glob": text("Report only channels whose whole name is like this: `*` stands for any text, `?` for one character, anything else for itself.",
		globLimits, checkGlob),
	"apps[].webhooks[].headers": anything("Headers that every request to this receiver has besides, up to 20."),
	"apps[].webhooks[].headers[].name": required(text("Name of the header, in any letters.",
		headerNameLimits, checkHeaderName)),
	"apps[].webhooks[].headers[].value": required(text("Value of the header. It is kept as a secret: nothing shows it.",
		headerValueLimits, checkHeaderValue)),
	"apps[].webhooks[].batching":     anything("Collect events into one request until one of the three bounds below is reached."),
	"apps[].webhooks[].batch_events": number("Events of one request.", 1, 1000),
	"apps[].webhooks[].batch_bytes":  number("Body of one request, unless a single event is longer.", leastBytes, 16<<20),
	"apps[].webhooks[].batch_wait":   span("How long the first event of a request waits for others.", shortest, time.Minute),
	"apps[].webhooks[].signing_key": text("Which key pair of the app signs, by its `key`. Empty: the oldest.",
		"empty, or a `key` of the app", checkSigningKey),
	"apps[].webhooks[].retry_for": {
		meaning: "How long a request that fails is repeated. 0 repeats the same bytes for 290 s, which every library accepts. Longer, it is signed afresh with a new `time_ms` each time after that.",
		limits:  "0, or 5m to 72h", check: checkRetryFor,
	},
	"apps[].webhooks[].max_in_flight": number("Requests that wait for this receiver's answer at the same time. It gets at most half of `webhooks.max_in_flight` all the same.", 1, 128),
}
