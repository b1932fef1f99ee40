// Package webhook tells an app's backends what happens on its channels
// (docs/protocol.md §8). A [Dispatcher] takes the hub's notices and posts them,
// signed, to every endpoint of the app that selects them.
//
// The way of a notice:
//
//	Emit ─► grace ─► routing ─► lane: intake ─► batch ─► seal ─► Queue ─► sender
//	        (delay)  (selection)                                  ▲        │
//	                                                              └─ retry ┘
//
// With a [Journal] a notice is recorded on its way to the lanes, and the queues
// are the journal's: both outlive the process. Package journal has it on disk.
//
// Promises:
//
//   - Emit never blocks on anything but short mutexes. Signing and I/O happen
//     elsewhere.
//   - Occupied and vacated of a channel, and added and removed of a user, leave
//     strictly alternating; an opposite edge within the delay cancels both. With a
//     journal that holds over restarts.
//   - Each endpoint has a lane of its own: what one receiver does delays no
//     other. Payloads never mix apps or endpoints.
//   - A payload is sealed and signed once, and every attempt carries the same
//     bytes for as long as all libraries accept them, which is 290 s. Endpoints
//     with a longer retry_for get it sealed afresh from then on.
//   - A payload is not attempted before earlier ones that share a channel with it
//     are delivered or given up. Payloads of other channels do not wait for it.
//   - An endpoint that is down gets one attempt at a time with growing pauses.
//   - Everything that waits is bounded. What is dropped is counted by reason.
//   - A connection is made only to an address that the guard has judged, after
//     name resolution; redirects and proxies are not followed.
//
// Goroutines: Run owns one for the delays, which starts one per lane, which
// starts one per attempt in flight (at most 32, and 256 of all lanes). Nothing
// else runs, and Run returns after the last of them.
//
// Nodes of a cluster share the telling: see [Options.OnTold], Withdraw, RestoreEdges
// and ForgetAllTold.
//
// Lock order: grace.mu, what Options.OnTold locks, Dispatcher.mu, those of the journal, intake.mu. slots.mu is taken with no other
// lock held and none is taken under it. The hub calls Emit with a
// shard's lock held, so nothing under these locks blocks, logs or calls back.
package webhook
