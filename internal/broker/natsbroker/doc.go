// Package natsbroker carries messages between nodes over NATS servers: core
// publish and subscribe, nothing that a server would have to store.
//
// Every link is a connection of its own. The client library does not reconnect and
// buffers nothing for a server that is away: whatever ends a connection, the
// engine goes down with it, and comes up on another one with nothing subscribed.
// So a message is either confirmed by a server that processed it, or the caller
// knows that it may not have been.
//
// In a cluster of servers, a message can be lost between two of them without either
// end noticing: a node is told when its own server goes, not when two servers have
// lost one another for a moment. Package embedded does notice that of its servers.
//
// All subjects of a node share one queue between the library and the receiver, which is
// called by the goroutine that reads. When the receiver is behind, the engine does not
// read from the socket, and the server holds the rest or, past its own limits, ends
// the connection. Nothing is dropped from the middle of a link.
//
// The names of subjects are
//
//	PREFIX.all                 every node
//	PREFIX.node.ID             one node, its id as 16 hex digits
//	PREFIX.ch.APP.CHANNEL      the nodes with subscribers of a channel
//
// with the application's id and the channel's name escaped, see [Engine]. Rights in
// an account need no more than to publish and subscribe to "PREFIX.>".
//
// Lock order: the engine's, then the link's; neither is held while something is
// sent or waited for.
package natsbroker
