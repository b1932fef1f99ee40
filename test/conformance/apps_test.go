package conformance

import (
	"fmt"
	"strings"
)

// app is what a client and a backend know of an app.
type app struct{ id, key, secret string }

// Apps of the shared server. Those whose settings count or limit connections
// belong to one test each.
var (
	plain      = app{"1001", "plain-key", "plain-secret"}     // all defaults
	other      = app{"1002", "other-key", "other-secret"}     // all defaults
	full       = app{"1003", "full-key", "full-secret"}       // client events, counts, watchlist
	talkative  = app{"1004", "talk-key", "talk-secret"}       // client events only
	small      = app{"1005", "small-key", "small-secret"}     // small limits, client events, watchlist
	tlsOnly    = app{"1006", "tls-key", "tls-secret"}         // tls_only
	disabled   = app{"1007", "off-key", "off-secret"}         // enabled: false
	offTLS     = app{"1008", "offtls-key", "offtls-secret"}   // disabled and tls_only
	quick      = app{"1009", "quick-key", "quick-secret"}     // activity and pong timeouts of 1 s
	calm       = app{"1010", "calm-key", "calm-secret"}       // activity timeout 45 s
	brief      = app{"1011", "brief-key", "brief-secret"}     // cache_ttl 1 s
	quotaTwo   = app{"1012", "quota2-key", "quota2-secret"}   // max_connections 2
	quotaOne   = app{"1013", "quota1-key", "quota1-secret"}   // max_connections 1
	quotaFive  = app{"1019", "quota5-key", "quota5-secret"}   // max_connections 1
	quotaSeven = app{"1021", "quota7-key", "quota7-secret"}   // max_connections 1
	patient    = app{"1020", "patient-key", "patient-secret"} // activity timeout 2 s
	strict     = app{"1014", "strict-key", "strict-secret"}   // authorized_connections, 1 s
	strictOne  = app{"1015", "strict1-key", "strict1-secret"} // the same, max_connections 1
	watchful   = app{"1016", "watch-key", "watch-secret"}     // watchlist
	counting   = app{"1017", "count-key", "count-secret"}     // subscription_count
	twoKeys    = app{"1018", "old-key", "old-secret"}         // a second pair: newKey
	newKey     = app{"1018", "new-key", "new-secret"}         // of the same app as twoKeys
)

// unknown has credentials that no server knows.
var unknown = app{"4040", "nobody-key", "nobody-secret"}

// sharedConfig is the configuration of the shared server.
func sharedConfig() string {
	return "log: {level: warn, format: json}\n" +
		"webhooks: {allow_addresses: [127.0.0.0/8]}\n" +
		"apps:\n" +
		appYAML(plain) +
		appYAML(other) +
		appYAML(full, "client_events: true", "subscription_count: true", "watchlist: true") +
		appYAML(talkative, "client_events: true") +
		appYAML(small, "client_events: true", "client_event_rate: 2", "watchlist: true", "max_watchlist: 2",
			"max_event_bytes: 64", "max_channels_per_trigger: 3", "max_batch: 2",
			"max_presence_members: 2", "max_user_info_bytes: 16", "max_user_id_chars: 8") +
		appYAML(tlsOnly, "tls_only: true") +
		appYAML(disabled, "enabled: false") +
		appYAML(offTLS, "enabled: false", "tls_only: true") +
		appYAML(quick, "activity_timeout: 1s", "pong_timeout: 1s") +
		appYAML(calm, "activity_timeout: 45s") +
		appYAML(brief, "cache_ttl: 1s") +
		appYAML(quotaTwo, "max_connections: 2") +
		appYAML(quotaOne, "max_connections: 1") +
		appYAML(quotaFive, "max_connections: 1") +
		appYAML(quotaSeven, "max_connections: 1") +
		appYAML(patient, "activity_timeout: 2s") +
		appYAML(strict, "authorized_connections: true", "authorized_timeout: 1s") +
		appYAML(strictOne, "authorized_connections: true", "authorized_timeout: 1s", "max_connections: 1") +
		appYAML(watchful, "watchlist: true") +
		appYAML(counting, "subscription_count: true") +
		appWithKeys(twoKeys.id, []app{twoKeys, newKey}, "client_events: true")
}

// appYAML returns the entry of one app for the list under "apps:". Settings are
// lines such as "client_events: true".
func appYAML(a app, settings ...string) string { return appWithKeys(a.id, []app{a}, settings...) }

// appWithKeys is appYAML for several key pairs, oldest first.
func appWithKeys(id string, pairs []app, settings ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  - id: %q\n    keys:\n", id)
	for i, p := range pairs {
		fmt.Fprintf(&b, "      - {key: %s, secret: %s, created: 2026-01-%02dT00:00:00Z}\n", p.key, p.secret, i+1)
	}
	for _, line := range settings {
		fmt.Fprintf(&b, "    %s\n", line)
	}
	return b.String()
}
