package broker

import (
	"encoding/binary"
	"time"
)

// Beat says that its origin lives, and how far it is.
type Beat struct {
	Count       uint64 // from 1, rising by one: what is missing has been lost
	Hello       bool   // every node is to answer with a beat at once
	Seq         uint64 // of the last State
	Heard       uint64 // a digest of the nodes that it hears, itself included
	Nodes       int    // how many that are
	View        uint64 // a digest of those of them with which it shares the homes of channels
	Name        string // for people, like the following
	Version     string
	Started     int64 // Unix seconds by its own clock
	Connections int
	Closed      uint64   // of what it has written into registers up to this Stamp.Count webhooks are told
	Numbers     []uint64 // the last Place.Number of each lane
}

const beatHello = 1

// maxText is how much of a name for people is kept, in bytes.
const maxText = 256

// Append appends the message.
func (t *Beat) Append(b []byte, origin NodeID) []byte {
	b, start := beginGroup(appendHeader(b, KindBeat, origin))
	b = binary.AppendUvarint(b, t.Count)
	b = binary.AppendUvarint(b, flag(t.Hello, beatHello))
	b = binary.AppendUvarint(b, t.Seq)
	b = binary.BigEndian.AppendUint64(b, t.Heard)
	b = binary.AppendUvarint(b, uint64(t.Nodes))
	b = binary.BigEndian.AppendUint64(b, t.View)
	b = appendBytes(b, clip(t.Name))
	b = appendBytes(b, clip(t.Version))
	b = binary.AppendUvarint(b, uint64(max(t.Started, 0)))
	b = binary.AppendUvarint(b, uint64(max(t.Connections, 0)))
	b = binary.AppendUvarint(b, t.Closed)
	b = endGroup(b, start)
	return appendNumbers(b, t.Numbers)
}

func clip[T ~string | ~[]byte](text T) T { return text[:min(len(text), maxText)] }

func appendNumbers(b []byte, numbers []uint64) []byte {
	b, start := beginGroup(b)
	for _, n := range numbers {
		b = binary.AppendUvarint(b, n)
	}
	return endGroup(b, start)
}

// ReadBeat reads the body of a beat.
func ReadBeat(body Body) (Beat, error) {
	all := fields{rest: body}
	head := all.group()
	t := Beat{
		Count: head.number(), Hello: head.number()&beatHello != 0, Seq: head.number(),
		Heard: head.word(), Nodes: head.count(), View: head.word(),
		Name: string(clip(head.bytes())), Version: string(clip(head.bytes())),
		Started: int64(head.count()), Connections: head.count(), Closed: head.number(),
	}
	t.Numbers = readNumbers(&all)
	return t, check(&all, &head)
}

func readNumbers(all *fields) []uint64 {
	list := all.group()
	var numbers []uint64
	for list.more() && len(numbers) < maxLanes {
		numbers = append(numbers, list.number())
	}
	all.malformed = all.malformed || list.malformed
	return numbers
}

// SnapshotRequest asks a node for a [Snapshot].
type SnapshotRequest struct {
	Request uint64 // comes back in the answer
}

// Append appends the message.
func (r *SnapshotRequest) Append(b []byte, origin NodeID) []byte {
	return appendNumber(appendHeader(b, KindSnapshotRequest, origin), r.Request)
}

func appendNumber(b []byte, n uint64) []byte {
	b, start := beginGroup(b)
	b = binary.AppendUvarint(b, n)
	return endGroup(b, start)
}

// ReadSnapshotRequest reads the body of a request.
func ReadSnapshotRequest(body Body) (SnapshotRequest, error) {
	n, err := readNumber(body)
	return SnapshotRequest{Request: n}, err
}

func readNumber(body Body) (uint64, error) {
	all := fields{rest: body}
	head := all.group()
	n := head.number()
	return n, check(&all, &head)
}

// RecoverRequest asks a node for the events that it has sent after those that
// the asking node has: by lane, the last number.
type RecoverRequest struct {
	Request uint64
	Newest  time.Duration // only what is no older; 0: whatever its age
	After   []uint64
}

// Append appends the message.
func (r *RecoverRequest) Append(b []byte, origin NodeID) []byte {
	b, start := beginGroup(appendHeader(b, KindRecoverRequest, origin))
	b = binary.AppendUvarint(b, r.Request)
	b = binary.AppendUvarint(b, uint64(max(r.Newest, 0).Milliseconds()))
	b = endGroup(b, start)
	return appendNumbers(b, r.After)
}

// ReadRecoverRequest reads the body of a request.
func ReadRecoverRequest(body Body) (RecoverRequest, error) {
	all := fields{rest: body}
	head := all.group()
	r := RecoverRequest{Request: head.number(), Newest: head.duration(), After: readNumbers(&all)}
	return r, check(&all, &head)
}

// Recovered is a part of the answer to a [RecoverRequest]: messages as they were
// sent, in their order.
type Recovered struct {
	Request  uint64
	Part     uint64 // from 0, rising by one
	End      bool
	Messages [][]byte
	Lost     []uint64 // with End: by lane, how many are missing
}

const recoveredEnd = 1

// Append appends the message.
func (r *Recovered) Append(b []byte, origin NodeID) []byte {
	b, start := beginGroup(appendHeader(b, KindRecovered, origin))
	b = binary.AppendUvarint(b, r.Request)
	b = binary.AppendUvarint(b, r.Part)
	b = binary.AppendUvarint(b, flag(r.End, recoveredEnd))
	b = endGroup(b, start)
	b, start = beginGroup(b)
	for _, m := range r.Messages {
		b = appendBytes(b, m)
	}
	b = endGroup(b, start)
	return appendNumbers(b, r.Lost)
}

// ReadRecovered reads the body of a part. The messages are parts of it.
func ReadRecovered(body Body) (Recovered, error) {
	all := fields{rest: body}
	head, messages := all.group(), all.group()
	r := Recovered{Request: head.number(), Part: head.number(), End: head.number()&recoveredEnd != 0}
	for messages.more() {
		r.Messages = append(r.Messages, messages.entry())
	}
	r.Lost = readNumbers(&all)
	return r, check(&all, &head, &messages)
}

// Marker is a question to every node, and the answer to it: what its origin has sent
// before the question has arrived.
type Marker struct {
	Number uint64
}

// Append appends the question.
func (m *Marker) Append(b []byte, origin NodeID) []byte {
	return appendNumber(appendHeader(b, KindMarker, origin), m.Number)
}

// AppendAck appends the answer.
func (m *Marker) AppendAck(b []byte, origin NodeID) []byte {
	return appendNumber(appendHeader(b, KindAck, origin), m.Number)
}

// ReadMarker reads the body of a question or an answer.
func ReadMarker(body Body) (Marker, error) {
	n, err := readNumber(body)
	return Marker{Number: n}, err
}
