package bench

import "time"

// usage is what a process has used so far.
type usage struct {
	user, system time.Duration
	rss          uint64 // bytes, now
}

func (u usage) cpu() time.Duration { return u.user + u.system }
