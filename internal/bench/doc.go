// Package bench is a load generator for servers that speak the Pusher Channels
// protocol, and the floor to compare them with: bare writes of the same frames.
//
// A scenario (scenario.go) plans connections, lets a fleet open them, puts load
// on the server and fills a [Result] with figures. Every delivery is accounted
// for: an event carries its number and its time (stamp.go), and each
// subscription knows which numbers it has seen (tally.go). In an open loop the
// time is the one at which the event was due, so that a server, or a generator,
// that falls behind shows in the latency.
//
// # Cost
//
// The generator shares the machine with what it measures. On Linux one goroutine
// reads all sockets through epoll into one buffer (epoll_linux.go), cuts frames
// in place and answers with prepared ones. Elsewhere, and over TLS, a goroutine
// per connection does the same (portable.go). A report tells the generator's own
// CPU time and warns if it was the bottleneck.
//
// # Concurrency
//
// An engine calls the fleet and its handler from one goroutine at a time; that
// is the only place where connections and counts are touched. Others enter it by
// engine.do, which waits, or engine.post, which does not. Requests to publish
// are made by other goroutines, which share atomics and channels with it.
//
// # Limits
//
// Connecting, subscribing, requests and the end of a run have timeouts. Frames
// and answers have a greatest size. Servers that are not on this machine are
// refused unless [Options].AllowRemote says that they are the caller's own.
package bench
