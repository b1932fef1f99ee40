// Package cluster breaks clusters of the built server, and the engines between
// their nodes, in every way that a network and an operator know, while clients and
// backends are at work, and checks what they saw.
//
// There is one world for each engine: three nodes as processes, a proxy in front
// of every server of the engine (or of every embedded node), clients that are
// members of a channel and hear others, publishers on every node, visitors that
// come and go, and a receiver of webhooks. Faults strike it one after the other.
// During and after each the tests compare
//
//   - the members of every channel, as each node tells them over HTTP and as each
//     client knows them from its frames, with those that are there;
//   - for each publisher and channel what every client heard with what was
//     accepted: in order, nothing twice, nothing lost between nodes that were well;
//   - what webhooks told with what happened: none missing, edges in turns but for the few
//     that a node may have told in the moments before it failed.
//
// `go test ./test/cluster` is the short form: a lease of 2 s, faults that last a
// little longer, few clients. `make faults` is the long one, with the default lease,
// faults of 15 s and hundreds of clients.
package cluster
