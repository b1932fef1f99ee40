package bench

import "time"

// usage is what a process has used so far.
type usage struct {
	user, system time.Duration
	rss          uint64 // bytes, now
}

func (u usage) cpu() time.Duration { return u.user + u.system }

// usageOf reads the cost of processes, together and each by itself.
func usageOf(pids []int) (sum usage, each []usage, err error) {
	for _, pid := range pids {
		u, err := processUsage(pid)
		if err != nil {
			return usage{}, nil, err
		}
		each = append(each, u)
		sum.user += u.user
		sum.system += u.system
		sum.rss += u.rss
	}
	return sum, each, nil
}
