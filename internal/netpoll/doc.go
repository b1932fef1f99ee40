// Package netpoll serves sockets that are mostly idle without a goroutine for
// each: a few loops wait for all of them (epoll on Linux), and a loop's goroutine
// calls the [Handler] of each socket that is ready.
//
// A handler may block, if it calls [Pass.Leave] first: the goroutine then leaves
// the loop to a new one and belongs to the handler alone. So the common case, a
// complete message that is carried out at once, needs neither a goroutine nor a
// system call beyond the read, and the rare one is written as if it had a
// goroutine all along.
//
// A socket is taken out of the Go runtime's own polling: its descriptor is
// duplicated and the net.Conn closed. Reading and writing never wait; [Conn] says
// who may call what.
//
// TLS goes on above such a socket if the handshake was made over an [Underlay].
//
// On systems other than Linux [New] fails with errors.ErrUnsupported, and callers
// keep a goroutine per connection.
package netpoll
