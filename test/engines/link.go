package engines

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// link is one connection through a proxy.
type link struct {
	client *net.TCPConn
	socket uint64            // of the client's end, see socketOf
	rename *strings.Replacer // nil for none; see Proxy.Rename
	broken chan struct{}     // closed by reset

	mu      sync.Mutex
	server  *net.TCPConn // nil before it is dialled
	fault   Fault
	changed chan struct{} // closed and made anew when fault changes
	reset   sync.Once
}

func newLink(client *net.TCPConn, socket uint64) *link {
	return &link{client: client, socket: socket, broken: make(chan struct{}), changed: make(chan struct{})}
}

// suffer sets the fault of the link.
func (l *link) suffer(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
	close(l.changed)
	l.changed = make(chan struct{})
	if f.Cut {
		l.breakLocked()
	}
}

// breakLocked resets both ends.
func (l *link) breakLocked() {
	l.reset.Do(func() {
		close(l.broken)
		for _, conn := range []*net.TCPConn{l.client, l.server} {
			if conn != nil {
				_ = conn.SetLinger(0)
				_ = conn.Close()
			}
		}
	})
}

func (l *link) fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.breakLocked()
}

// state returns the fault and what is closed when it changes.
func (l *link) state() (Fault, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fault, l.changed
}

// run returns when the connection has ended.
func (l *link) run(address string) {
	defer l.fail()
	if !l.pass(func(f Fault) bool { return f.SilentToServer }) {
		return
	}
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	l.mu.Lock()
	l.server = server.(*net.TCPConn)
	l.mu.Unlock()
	select {
	case <-l.broken: // before the server was known
		_ = server.Close()
		return
	default:
	}
	var carrying sync.WaitGroup
	carrying.Go(func() { l.carry(l.server, l.client, toServer) })
	l.carry(l.client, l.server, toClient)
	carrying.Wait()
}

// direction is a way through a link.
type direction struct {
	silent func(Fault) bool
	delay  func(Fault) time.Duration
}

var (
	toServer = direction{
		func(f Fault) bool { return f.SilentToServer },
		func(Fault) time.Duration { return 0 },
	}
	toClient = direction{
		func(f Fault) bool { return f.SilentToClient },
		func(f Fault) time.Duration { return f.Delay },
	}
)

// piece is bytes under way, or the end of the stream.
type piece struct {
	bytes []byte
	due   time.Time
	err   error
}

// inFlight bounds the pieces of a direction; a network holds as much as it likes,
// which only matters to how long a delayed stream can be.
const inFlight = 4096

// carry moves bytes in one direction until it ends. It passes on the end of the
// stream as such, anything else as a reset.
func (l *link) carry(to, from *net.TCPConn, d direction) {
	pieces := make(chan piece, inFlight)
	var reading sync.WaitGroup
	defer reading.Wait()
	reading.Go(func() { l.read(pieces, from, d) })
	for {
		var next piece
		select {
		case next = <-pieces:
		case <-l.broken:
			return
		}
		if !l.until(next.due) || !l.pass(d.silent) {
			return
		}
		if errors.Is(next.err, io.EOF) {
			_ = to.CloseWrite()
			return
		}
		if next.err != nil {
			l.fail()
			return
		}
		if _, err := to.Write(next.bytes); err != nil {
			l.fail()
			return
		}
	}
}

func (l *link) read(pieces chan<- piece, from *net.TCPConn, d direction) {
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		fault, _ := l.state()
		due := time.Now().Add(d.delay(fault))
		if n > 0 && !l.put(pieces, piece{bytes: l.renamed(buffer[:n]), due: due}) {
			return
		}
		if err != nil {
			l.put(pieces, piece{err: err, due: due})
			return
		}
	}
}

// renamed changes the introductions of NATS servers, which they send in one piece
// with each other or with little else.
func (l *link) renamed(bytes []byte) []byte {
	if l.rename == nil || !strings.Contains(string(bytes), "INFO {") {
		return bytes
	}
	return []byte(l.rename.Replace(string(bytes)))
}

func (l *link) put(pieces chan<- piece, p piece) bool {
	select {
	case pieces <- p:
		return true
	case <-l.broken:
		return false
	}
}

// until waits for a moment and reports whether the link still lives.
func (l *link) until(due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return true
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.broken:
		return false
	}
}

// pass waits while the direction is silent and reports whether the link still
// lives.
func (l *link) pass(silent func(Fault) bool) bool {
	for {
		fault, changed := l.state()
		if !silent(fault) {
			return true
		}
		select {
		case <-changed:
		case <-l.broken:
			return false
		}
	}
}
