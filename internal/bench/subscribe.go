package bench

import "context"

// subscribeWindow bounds the subscriptions of one connection that are not
// confirmed yet: a server may close a connection whose answers pile up.
const subscribeWindow = 128

// subscribe begins the client's subscriptions.
func (f *fleet) subscribe(c *client) {
	c.state, c.asked, c.awaited = subscribing, 0, len(c.channels)
	f.ask(c)
}

// ask sends as many subscriptions as the window lets in, once half of it is free.
func (f *fleet) ask(c *client) {
	confirmed := len(c.channels) - c.awaited
	end := min(confirmed+subscribeWindow, len(c.channels))
	if end-c.asked < subscribeWindow/2 && end < len(c.channels) || end == c.asked {
		return
	}
	var out []byte
	for _, channel := range c.channels[c.asked:end] {
		out = appendFrame(out, opText, c.subscription(f.pair, channel))
	}
	c.asked = end
	f.write(c, out)
}

// confirmed notes one subscription that has succeeded.
func (f *fleet) confirmed(c *client, at int64) {
	if c.awaited--; c.awaited > 0 {
		f.ask(c)
		return
	}
	f.arrive(c, at)
}

// subscribeAll subscribes a fleet that was opened without its subscriptions, as
// many clients at a time as may connect at a time.
func (f *fleet) subscribeAll(ctx context.Context) error {
	f.engine.do(func() {
		f.phase, f.next, f.oldest = subscribeOnly, 0, 0
		f.allUp = make(chan struct{})
		for _, c := range f.clients {
			if len(c.channels) > 0 {
				f.ready--
			}
		}
	})
	return f.fillAndWait(ctx)
}
