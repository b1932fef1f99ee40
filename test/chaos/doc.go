// Package chaos kills the server again and again while clients and webhook
// receivers of several kinds are at work, and checks what the receivers were told
// when all is over: every notice that was committed has arrived, unchanged, in
// order per channel, and channels and members went on and off in turns.
//
// `go test ./test/chaos` kills three times; `make chaos` fifty times. It prints
// how much the kills cost: events that were not yet committed, and repetitions.
package chaos
