package bench

// engine moves the bytes of a fleet's connections. It calls the fleet from one
// goroutine at a time; dial, write, hold, release and drop are called from
// there only.
type engine interface {
	dial(c *client)            // then fleet.opened or fleet.lose
	write(c *client, b []byte) // keeps no reference to b
	hold(c *client)            // stops reading
	release(c *client)         // reads again
	drop(c *client)            // closes the socket; nothing is called for it any more

	post(f func()) // runs f inside the engine, later
	do(f func())   // runs f inside the engine and waits for it
	waited() int64 // nanoseconds for which there was nothing to do, -1 if unknown
	stop()         // ends it; every client has been dropped
}

// maxOut bounds what waits for a socket that takes nothing.
const maxOut = 4 << 20

// tickEvery is how often fleet.tick is called.
const tickEvery = 50 // milliseconds
