package hub

import "slices"

// nodeSet holds other nodes, mostly one. The zero value is empty.
type nodeSet struct {
	rest  *[]Node // nil for none
	first Node
	some  bool
}

func (s nodeSet) empty() bool { return !s.some }

func (s nodeSet) has(n Node) bool {
	return s.some && (s.first == n || s.rest != nil && slices.Contains(*s.rest, n))
}

// with returns the set and n.
func (s nodeSet) with(n Node) nodeSet {
	switch {
	case s.has(n):
	case !s.some:
		s.first, s.some = n, true
	case s.rest == nil:
		s.rest = &[]Node{n}
	default:
		*s.rest = append(*s.rest, n)
	}
	return s
}

// without returns the set without n.
func (s nodeSet) without(n Node) nodeSet {
	switch {
	case !s.has(n):
		return s
	case s.rest == nil:
		return nodeSet{}
	case s.first == n:
		s.first = (*s.rest)[0]
		n = s.first
	}
	*s.rest = slices.DeleteFunc(*s.rest, func(other Node) bool { return other == n })
	if len(*s.rest) == 0 {
		s.rest = nil
	}
	return s
}
