// Package hub is the domain of the server: who is on which channel, who is
// signed in, and what each connection gets to see of it.
//
// # What it owns
//
// A tenant is the live state of one app: its sockets, its users, and its
// channels in shards by name. Apps share no structure, so nothing can cross
// from one to another. An [Attachment] is what the hub keeps for one connection;
// every command of a client is a method of it, and the signatures of
// subscriptions and sign-ins are verified inside, so that no caller can forget
// it. Backends come in through [Hub.Publish] and the queries beside it.
//
// # Fan-out
//
// An event is encoded once, appended to its channel's pending segments, and
// handed to every subscriber by whoever drains the channel (drain.go): the caller
// itself where there are few subscribers, at the end of its [Turn] if it has one,
// else a goroutine that exists only while something is pending. What piles up
// during a round leaves in one write per subscriber. A segment remembers the
// subscribers as they were when its events were published, so an event can neither
// reach somebody who came later (and got it as the cached event) nor miss somebody
// who was there. What a round works with is used again: an event takes memory for
// its frame, and several that leave together for that one piece.
//
// # Promises
//
//   - On one connection, a channel's subscription_succeeded comes before
//     anything else of that channel, and nothing is newly queued for it once
//     Unsubscribe has returned.
//   - Events of one publisher on one channel reach each subscriber in order.
//   - A presence snapshot and the member frames that follow it agree: a member
//     is in the snapshot or is announced later, never both, never neither.
//   - Notices are emitted in the order in which things happened on a channel,
//     and alternate: occupied, vacated, occupied; added, removed, added.
//   - No method waits for a slow socket or a webhook; a round waits up to 25 ms for
//     a busy one ([ErrBusy]). Publish and ClientEvent wait
//     while a channel has more than 128 KiB pending, until the running round takes
//     it: publishers are held back, nothing is dropped, and no more than one event
//     goes over it.
//   - Events that an app's history selects go to the [EventLog] in the order in
//     which they go out on their channel, each once, subscribers or not.
//   - A panic while frames are given to a connection ends that connection; one in
//     the rest of a round ends the delivery of its segment. Both are counted, and
//     the channel goes on.
//
// # Locks
//
// Order: Attachment.mu, then a shard.mu or tenant.usersMu, then
// tenant.socketsMu, a subscription.mu or countSchedule.mu; never two shards,
// never a shard and the users. Hub.mu comes before tenant.socketsMu and is never
// taken with another lock held. Under any lock but Attachment.mu there is no I/O
// of ours, no waiting, no logging and no callback except Outlet.Deliver,
// Subscriber.Close, NoticeSink.Emit and EventLog.Append, which neither block nor
// call back. A held-back ClientEvent waits with its own Attachment.mu, which no round needs.
package hub
