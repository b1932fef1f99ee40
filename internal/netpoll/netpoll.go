package netpoll

// Handler is what happens on one socket.
type Handler interface {
	// Ready is called on a loop's goroutine when the socket is watched and can be
	// read or written, or has failed or been closed by the peer, which counts as
	// both. Calls for one socket never overlap. Before anything that waits, it must
	// stop the watching for reading and call p.Leave.
	Ready(p *Pass, readable, writable bool)
}

// Work is what a loop's goroutine carries from socket to socket.
type Work interface {
	// Done ends what was left for the end of a pass.
	Done()
}

// Pass is one goroutine's turn at a loop. It belongs to that goroutine.
type Pass struct {
	Work Work // made by New's newWork for each goroutine

	loop *loop
	left bool
}
