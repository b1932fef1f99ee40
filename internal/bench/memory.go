package bench

import "time"

// memory is what the kernel tells of a process's resident memory, in bytes. What
// the kernel itself keeps for the process, sockets above all, is in none of it.
type memory struct {
	rss       uint64
	anonymous uint64 // heap and stacks; 0 if not known
	file      uint64 // the program and its libraries, as far as they have been touched
}

// memoryOf reads the memory of processes, together.
func memoryOf(pids []int) (sum memory, err error) {
	for _, pid := range pids {
		m, err := processMemory(pid)
		if err != nil {
			return memory{}, err
		}
		sum.rss += m.rss
		sum.anonymous += m.anonymous
		sum.file += m.file
	}
	return sum, nil
}

// Memory has settled when it has stayed within these bounds, whichever is wider,
// for the wanted time.
const (
	steadyShare = 0.005
	steadyBytes = 256 << 10

	// maxSettle bounds the wait for a server whose memory never rests.
	maxSettle = time.Minute

	settleEvery = 100 * time.Millisecond
)

// settling finds out since when a process's memory has been steady.
type settling struct {
	window time.Duration
	kept   []memoryAt // of the steady time so far
}

type memoryAt struct {
	at  int64
	rss uint64
}

// add notes a reading and reports whether memory has been steady for the window.
func (s *settling) add(at int64, rss uint64) bool {
	s.kept = append(s.kept, memoryAt{at, rss})
	for !s.within(rss) {
		s.kept = s.kept[1:]
	}
	return at-s.kept[0].at >= int64(s.window)
}

// within reports whether everything kept is near the latest reading.
func (s *settling) within(rss uint64) bool {
	bound := max(uint64(float64(rss)*steadyShare), steadyBytes)
	for _, k := range s.kept {
		if max(k.rss, rss)-min(k.rss, rss) > bound {
			return false
		}
	}
	return true
}

// since is when memory became steady.
func (s *settling) since() int64 { return s.kept[0].at }
