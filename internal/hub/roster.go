package hub

import "slices"

// chunkSize is how many subscriptions are copied at most when one joins or leaves
// while the list is being read: 2 KiB. With one list, every join on a busy
// channel of 10,000 would copy 80 KiB.
const chunkSize = 256

// roster is the list of a channel's subscriptions. It is changed in place, except
// for what a view still reads: that is copied first. Guarded by the shard's mu;
// a view may be read without it.
type roster struct {
	chunks []chunk // all full but the last
	n      int

	epoch  uint64 // of the last view
	shared uint64 // chunks older than this epoch may be read by a view
	topped bool   // a view reads chunks
	viewed bool   // the last view is still what the list looks like
}

type chunk struct {
	subs  []*subscription
	epoch uint64 // when it was made or copied
}

// view is a roster as it was at one moment.
type view []chunk

// view returns the list as it is now.
func (r *roster) view() view {
	if !r.viewed {
		r.epoch++
		r.shared, r.topped, r.viewed = r.epoch, true, true
	}
	return r.chunks
}

// unshare may be called when no view is read any more.
func (r *roster) unshare() { r.shared, r.topped, r.viewed = 0, false, false }

func (r *roster) add(s *subscription) {
	last := len(r.chunks) - 1
	if last < 0 || len(r.chunks[last].subs) == chunkSize {
		r.ownTop()
		r.chunks = append(r.chunks, chunk{epoch: r.epoch})
		last++
	}
	subs := r.own(last)
	s.index = last*chunkSize + len(*subs)
	*subs = append(*subs, s)
	r.n++
}

// remove puts the last subscription in the place of s.
func (r *roster) remove(s *subscription) {
	last := len(r.chunks) - 1
	tail := r.own(last)
	end := len(*tail) - 1
	moved := (*tail)[end]
	(*tail)[end] = nil
	*tail = (*tail)[:end]
	if moved != s {
		(*r.own(s.index / chunkSize))[s.index%chunkSize] = moved
		moved.index = s.index
	}
	if end == 0 {
		r.chunks[last] = chunk{}
		r.chunks = r.chunks[:last]
	}
	r.n--
}

// own makes the chunk at i safe to change and returns its list.
func (r *roster) own(i int) *[]*subscription {
	r.ownTop()
	c := &r.chunks[i]
	if c.epoch < r.shared {
		*c = chunk{subs: slices.Clone(c.subs), epoch: r.epoch}
	}
	return &c.subs
}

func (r *roster) ownTop() {
	r.viewed = false
	if r.topped {
		r.chunks = slices.Clone(r.chunks)
		r.topped = false
	}
}
