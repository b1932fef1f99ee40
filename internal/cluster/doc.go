// Package cluster makes many nodes behave like one: a [Node] is the [hub.Relay] of
// its hub and the filter between the hub and its webhooks.
//
// # Idea
//
// What nodes have to agree on lives in the nodes. Each owns shares: what its own
// connections contribute to a channel, a member, a user, an app. It tells them to all
// others, in absolute values, and they merge them; so every question is answered from
// what is here, and an engine that restarts empty has lost nothing. A node that is
// not heard of for a lease is forgotten by everybody, and with it its shares.
//
// # Messages
//
// Everything that happens is appended to one queue (queue.go) under the hub's locks, and leaves
// in that order, in batches (writer.go, batch.go, encode.go). Engines deliver at most
// once and in order per sender and lane. What is made of that:
//
//   - Events are numbered per lane. A batch that the engine has not taken goes out again
//     as it was; receivers drop numbers that they have (parking.go). The last events are kept
//     (ring.go), and a node whose link was down, or that has missed a beat, asks each
//     other node for those after the last that it has (recovery.go, job.go). Events that come meanwhile
//     are parked, as are those that have overtaken the state that was told before them.
//   - State is numbered too. A gap, or a beat that is ahead, makes a node ask for a
//     snapshot (statein.go), which is sent in parts between what else there is;
//     changes go on meanwhile. What the snapshot did not have is removed at its end.
//   - Beats (beat.go) say who is alive and how far it is. They, questions and
//     answers go out before what is queued, so that a slow engine makes nobody look dead.
//   - Barriers (await.go, markers.go, fences.go) say when others have what was
//     queued, and when what others have told is here.
//
// # Webhooks
//
// Every hub emits the notices of the merged truth. Of one channel one node lets them
// through, its home (view.go, homes.go, filter.go), as long as it is certain that no other
// node believes to be it (trust.go). What webhooks were told is replicated (told.go, merge.go), so that a new
// home tells the difference and nothing else, and the other nodes have it before webhooks
// are told (gate.go, open.go). What a node sees and may not tell it remembers until the home has told,
// and asks for it (debts.go, pay.go). Where nodes that were out of touch have told different
// things, the home tells the truth once more.
//
// # Promises
//
//   - An event gets to a node at most once, and those of one node on one channel in order.
//     While no link fails, none is lost.
//   - Methods of [hub.Relay] but Await do nothing but appending under one short lock.
//     Await takes a second at most, and nothing while the link is down.
//   - All is bounded: events that wait, that are kept and that are parked by bytes, the inbox
//     by bytes, the rest by what exists. What is dropped is counted by reason.
//   - Times are measured by the monotonic clock of the node that measures; clocks of
//     nodes are never compared.
//   - Nothing that comes from another node can make more of it than a wrong share of that node.
//
// # Goroutines
//
// All are started and waited for by [Node.Run]. The engine's calls Up, Down and
// Receive. The worker (worker.go) takes what was received out of the inbox, and all
// that is known of other nodes is its own. The writer takes what is queued, and numbers, ring and
// answers are its own. The gate waits for the others before webhooks are told. The ticker beats, and has the worker judge leases after what has
// come in before. The fencer runs the rounds of hub.Heard.
//
// # Locks
//
// Order: the hub's, filter.mu, those of webhooks, told.mu, gate.mu, markers.mu, queue.mu. Those of
// inbox, probe and fences are taken with none of them held but the hub's. The worker
// and the writer hold none when they call the hub, the engine or webhooks, but for
// filter.mu around Emit.
package cluster
