// Package chaos does to a server what must not cost a webhook, while clients and
// receivers are at work, and checks what the receivers were told when all is over.
//
// TestKills kills it again and again beside receivers of several kinds: every
// notice that was committed has arrived, unchanged, in order per channel, and
// channels and members went on and off in turns. It prints how much the kills
// cost: events that were not yet committed, and repetitions.
//
// TestOutage takes receivers down for a while that retry_for covers, one that
// refuses connections and one that hangs: both get everything in the end, once,
// unchanged and in order. It prints how late events reached a receiver beside
// each, and one of a server without any, at the same time and with the same load.
//
// `go test ./test/chaos` kills three times and has an outage of 3 s; `make chaos`
// kills fifty times and has one of 10 min.
package chaos
