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
// # Other nodes
//
// With a [Relay] this hub is one of several nodes' that behave like one. Each node
// owns a [Share] of everything that is a sum: the subscriptions of a channel, the
// connections of a user on it, the sign-ins of a user, the connections of an app.
// Whatever changes this node's shares marks them ([Relay.Changed]); those of others
// come by [Hub.Apply] and are added to what is here, so that counts, members,
// limits, quotas, frames, notices and queries are of all nodes, and are answered
// without asking anybody. What is on other nodes only is kept in the same places as
// what is here, and is dropped when nobody has a share. No share has two writers:
// nothing has to be agreed on, and a share that is told twice, or late, does no
// harm.
//
// An event is delivered here and handed to the relay under the same hold of the
// lock; those of others come by [Hub.Deliver]. A subscription, a sign-in, and a
// connection under a quota are made in two steps: first they count, and others are
// told; then, when that is in force everywhere, the client is ([Barrier]). The lock
// is not held in between, but Attachment.mu is. A single node does both under one
// hold.
//
// What nodes may write at the same time, the info of a member and the content of a
// cache channel, carries a [Stamp]: the earliest info and the latest content are
// everybody's.
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
//   - All of this holds on several nodes as on one; an event that any node takes up
//     after a connection's success reaches it, as far as the relay carries it.
//     Events of one node on one channel come in its order, those of one batch on
//     whatever channels.
//   - Deliver and Apply wait for nothing but rounds that they run themselves. Events
//     of other nodes queue for room on a full channel, up to 4 MiB; beyond that they
//     are dropped and counted.
//   - Events that an app's history selects go to the [EventLog] in the order in
//     which they go out on their channel, each once, subscribers or not.
//   - A panic while frames are given to a connection ends that connection; one in
//     the rest of a round ends the delivery of its segment. Both are counted, and
//     the channel goes on.
//
// # Locks
//
// Order: Attachment.mu, then a shard.mu or tenant.usersMu, then tenant.socketsMu, a
// subscription.mu, countSchedule.mu or the relay's own locks; never two shards,
// never a shard and the users. orders.mu is never held with another. Hub.mu comes
// before tenant.socketsMu and is never taken with another lock held. Under any lock
// but Attachment.mu there is no I/O of ours, no waiting, no logging and no callback
// except Outlet.Deliver, Subscriber.Close, NoticeSink.Emit, EventLog.Append and the
// relay's methods but Await, which neither block nor call back. A held-back
// ClientEvent waits with its own Attachment.mu, which no round needs.
package hub
