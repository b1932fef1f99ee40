// Package memory is an engine between nodes of one process, for tests and
// simulations. A [Network] is the server, or the mesh of servers, and can fail in
// the ways in which real ones fail; [Network.Engine] is one node's way to it.
//
// It works in bubbles of testing/synctest: all waiting is for timers and
// channels, and time is that of package time. Locks: one mutex per network,
// never held while a receiver is called.
package memory
