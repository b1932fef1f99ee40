package engines

import "time"

// Fault is what a [Proxy] does to connections. The zero value is none.
type Fault struct {
	// Cut resets connections, old and new.
	Cut bool

	// Silent directions hold what comes until the fault is over, as a network does
	// that loses all packets for a while: nobody learns of it but by waiting.
	SilentToServer, SilentToClient bool

	// Delay is how much later the server's bytes arrive.
	Delay time.Duration
}

// Faults by their names in the tests.
var (
	Reset     = Fault{Cut: true}
	BlackHole = Fault{SilentToServer: true, SilentToClient: true}
	Deaf      = Fault{SilentToClient: true} // the client hears nothing
	Dumb      = Fault{SilentToServer: true} // nobody hears the client
)

// Reversed returns the fault as it looks from the other end.
func (f Fault) Reversed() Fault {
	f.SilentToClient, f.SilentToServer = f.SilentToServer, f.SilentToClient
	return f
}
