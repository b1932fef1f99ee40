package broker

import (
	"encoding/binary"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// Owed tells a node, the home of some edges, what its origin has seen of them and
// has not heard that webhooks were told.
type Owed struct{ Edges []OwedEdge }

// OwedEdge says that webhooks are to be told of an edge until [Told.Turn] is Turn.
type OwedEdge struct {
	hub.Edge
	Turn uint64
}

// Append appends the message.
func (o *Owed) Append(b []byte, origin NodeID) []byte {
	b, start := beginGroup(appendHeader(b, KindOwed, origin)) // nothing yet
	b, start = beginGroup(endGroup(b, start))
	for i := range o.Edges {
		entry, at := beginEntry(b)
		entry = appendEdge(entry, o.Edges[i].Edge, 0)
		b = endEntry(binary.AppendUvarint(entry, o.Edges[i].Turn), at)
	}
	return endGroup(b, start)
}

// ReadOwed reads the body of a message. What it does not understand it leaves out.
func ReadOwed(body Body) (Owed, error) {
	all := fields{rest: body}
	_, list := all.group(), all.group()
	var o Owed
	for list.more() {
		f := fields{rest: list.entry()}
		e, _ := readEdge(&f)
		if turn := f.number(); !f.malformed && validEdge(e) {
			o.Edges = append(o.Edges, OwedEdge{Edge: e, Turn: turn})
		}
	}
	return o, check(&all, &list)
}
