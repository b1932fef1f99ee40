package hub

import (
	"iter"
	"slices"
)

// attachmentSet holds connections, mostly one. The zero value is empty.
type attachmentSet struct {
	first *Attachment
	rest  *furtherAttachments // nil for none
}

func (s *attachmentSet) empty() bool { return s.first == nil }

func (s *attachmentSet) one() bool { return s.first != nil && s.rest == nil }

// add takes up a connection that is not in the set.
func (s *attachmentSet) add(a *Attachment) {
	if s.first == nil {
		s.first = a
		return
	}
	if s.rest == nil {
		s.rest = &furtherAttachments{}
	}
	s.rest.add(a)
}

// remove takes out a connection that is in the set.
func (s *attachmentSet) remove(a *Attachment) {
	switch {
	case s.rest == nil:
		s.first = nil
		return
	case s.first == a:
		last := len(s.rest.list) - 1
		a, s.first = s.rest.list[last], s.rest.list[last]
	}
	if s.rest.remove(a); len(s.rest.list) == 0 {
		s.rest = nil
	}
}

// all returns the connections in no particular order.
func (s *attachmentSet) all() iter.Seq[*Attachment] {
	return func(yield func(*Attachment) bool) {
		if s.first == nil || !yield(s.first) || s.rest == nil {
			return
		}
		for _, a := range s.rest.list {
			if !yield(a) {
				return
			}
		}
	}
}

// fewAttachments is up to how many are searched one by one.
const fewAttachments = 128

// furtherAttachments are one or more connections.
type furtherAttachments struct {
	list  []*Attachment
	index map[*Attachment]int // in list; nil while there are few
	peak  int                 // the most that index had since it was made
}

func (f *furtherAttachments) add(a *Attachment) {
	f.list = append(f.list, a)
	switch {
	case f.index != nil:
		f.index[a] = len(f.list) - 1
		f.peak = max(f.peak, len(f.list))
	case len(f.list) > fewAttachments:
		f.reindex()
	}
}

func (f *furtherAttachments) remove(a *Attachment) {
	i, last := f.find(a), len(f.list)-1
	moved := f.list[last]
	f.list[i], f.list[last] = moved, nil
	f.list = f.list[:last]
	if f.index == nil {
		return
	}
	f.index[moved] = i
	delete(f.index, a)
	if last < f.peak/4 { // maps do not shrink
		f.list = slices.Clone(f.list)
		f.reindex()
	}
}

func (f *furtherAttachments) find(a *Attachment) int {
	if f.index != nil {
		return f.index[a]
	}
	return slices.Index(f.list, a)
}

func (f *furtherAttachments) reindex() {
	f.index, f.peak = nil, len(f.list)
	if f.peak <= fewAttachments {
		return
	}
	f.index = make(map[*Attachment]int, f.peak)
	for i, a := range f.list {
		f.index[a] = i
	}
}
