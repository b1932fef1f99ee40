package daemon

import "sync/atomic"

// readiness tells load balancers whether to send traffic here.
type readiness struct{ state atomic.Int32 }

const (
	stateStarting int32 = iota
	stateServing
	stateDraining
)

func (r *readiness) open()  { r.state.Store(stateServing) }
func (r *readiness) drain() { r.state.Store(stateDraining) }

// notReady returns why the server should get no traffic; none if it should.
func (d *daemon) notReady() []string {
	var reasons []string
	switch d.ready.state.Load() {
	case stateStarting:
		reasons = append(reasons, "starting")
	case stateDraining:
		reasons = append(reasons, "draining")
	}
	if d.sockets.Full() {
		reasons = append(reasons, "at connection limit (limits.max_connections)")
	}
	if d.node != nil {
		reasons = append(reasons, d.node.Ready()...)
	}
	return reasons
}
