package cluster

import "sync"

// gate lets load through, or holds it up while something is compared.
type gate struct{ mu sync.RWMutex }

// enter reports whether something may be done now; then leave has to follow.
func (g *gate) enter() bool { return g.mu.TryRLock() }

func (g *gate) leave() { g.mu.RUnlock() }

// shut waits until nobody is inside and keeps others out until open.
func (g *gate) shut() { g.mu.Lock() }

func (g *gate) open() { g.mu.Unlock() }
