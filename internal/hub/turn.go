package hub

// Turn is one goroutine's pass over what has come from its connections: the
// rounds of delivery that it owes are run together at the end, so that what came
// at the same time leaves in one write. Not for concurrent use. The zero value is
// ready, and a nil Turn owes nothing: its rounds are run at once.
type Turn struct {
	// Yield, if set, is called before the goroutine waits for anything: its
	// owner can give its other work away.
	Yield func()

	owed []*channel
}

// End runs what is owed. It must be called before the goroutine turns to
// anything else: until then, nothing else is delivered on those channels.
func (t *Turn) End() {
	for len(t.owed) > 0 {
		owed := t.owed
		t.owed = nil
		for i, c := range owed {
			owed[i] = nil
			c.runOwed()
		}
		if t.owed == nil {
			t.owed = owed[:0]
		}
	}
}

// BeforeWait prepares the goroutine for waiting: nothing may depend on it then.
func (t *Turn) BeforeWait() {
	if t == nil {
		return
	}
	t.End()
	if t.Yield != nil {
		t.Yield()
	}
}
