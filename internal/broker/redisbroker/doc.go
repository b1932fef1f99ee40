// Package redisbroker is the engine on Redis and Valkey: a server, one behind
// Sentinel, or a cluster. It uses publish and subscribe alone; nothing is stored, so
// a server that restarts empty, or a replica that takes over, has lost nothing.
//
// # Connections
//
// What runs between Up and Down is a link: to each master one connection on which
// messages are published, and one on which they are received. A link is never
// repaired. Whatever goes wrong with a part of it (a connection that is lost or
// closed by the server for reading too slowly, a slot that moves, a server that
// became a replica, a command that was refused or that is late) ends it as a whole,
// and a new one is made from scratch: what servers there are is asked anew, and the
// caller subscribes anew. So there is no state in which a part of the subscriptions
// is missing unnoticed. Once a second every server is asked on its receiving
// connection whether it is a master still, and a sentinel which one is; an answer that takes
// over 5 s ends the link, also if it is the receiver that has blocked for so long.
//
// Publishing goes through rueidis, as one pipeline for each server, by the goroutine
// that calls Do: with one call at a time on a connection of its own, rueidis writes
// and reads in the caller and needs no goroutines. Its receiving side is not used. It
// runs in a goroutine of its own that panics on a reply out of order, so that a
// broken middlebox could end the process; and it takes 1.8 µs of processor time for a
// message of 300 bytes, with four allocations, where 1.1 µs and one are enough. Its clients
// for clusters and Sentinel are not used either, as they have such goroutines, and as
// they follow a slot that has moved without telling. Receiving is ours (subscriber.go,
// resp.go): every length that a server states is checked before it is believed, also
// on rueidis's connections (checked.go).
//
// # Order, fence, mesh
//
// Subscriptions of one call of Do come before its messages, each in order. A message
// is in the output buffers of all its subscribers when its PUBLISH is answered, and
// the answer to a PING on a receiving connection comes after what is in its buffer:
// that is the fence. In a cluster a channel belongs to one slot, and both publishers
// and subscribers of a slot are connected to its master (SPUBLISH, SSUBSCRIBE, from
// Redis 7 on), so the same holds there with a PING to each master, and the engine is
// not a mesh.
//
// # Lanes and names
//
// Channels are spread over 64 lanes, each in a slot of its own, by a hash that is the
// same everywhere; everything else is on lane 0. With Sentinel, or on a Unix socket,
// there can be no cluster, and there is one lane. Elsewhere the number is the same
// whether the server turns out to be a cluster or not: nodes count on it before they
// know. The slots are as far apart as they can be, so each of n masters has 64/n
// lanes, give or take one; beyond 16 masters some have twice as many as others.
//
// Names are PREFIX:all, PREFIX:node:ID and PREFIX:ch:APP:CHANNEL, in a cluster with
// {TAG}: after the prefix. So an ACL needs one pattern, &PREFIX:*, and the commands
// HELLO, PING, PUBLISH, SUBSCRIBE and UNSUBSCRIBE, or in a cluster CLUSTER SLOTS,
// SPUBLISH, SSUBSCRIBE and SUNSUBSCRIBE in place of the latter three. Databases do not divide
// channels in Redis: two deployments on one server need two prefixes, and the
// number in the URL means nothing.
//
// The URL and its password appear in no error, log line or description.
package redisbroker
