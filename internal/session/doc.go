// Package session serves one client connection: it reads the client's messages
// and turns them into commands of the hub, and it is the one place where bytes
// leave for the client.
//
// # The way in
//
// [Session.Serve] reads a message, parses it, and carries it out before it reads
// the next, so a client's frames are processed in order of arrival. It returns
// when nothing more has come: then the connection has no goroutine, if its
// [Socket] is served by a loop. Whoever calls it owns the session meanwhile.
//
// # The way out
//
// Everything goes through the [Outbox]: fan-out, replies, pings, the WebSocket
// library's pongs and close frames. Its mutex makes one order of them and keeps
// frames whole. It writes to the socket directly where that cannot block, and
// keeps what the kernel refused in a bounded backlog, flushed by the loop or by a
// goroutine that lives only while there is one: line.go is where the kinds of
// connection differ. No data message may go through the
// WebSocket library: it would bypass that order.
//
// # Time
//
// A connection's deadlines (idle, pong, authorization, the end of a close) share
// one timer of the server's wheel, in activity.go. The
// server probes with control PINGs, since several official clients do not
// answer pusher:ping.
package session
