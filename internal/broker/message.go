package broker

import (
	"encoding/binary"
	"errors"
)

// Version is the first byte of every message. Releases with the same one
// understand each other: fields and kinds are only ever added, at the end, and
// what a reader does not know it skips.
const Version = 1

// Kind says what a message is. Numbers are never used again.
type Kind uint8

// Kinds of messages.
const (
	KindEvent           Kind = iota + 1 // [Event]
	KindTermination                     // [Termination]
	KindState                           // [State]
	KindSnapshot                        // [Snapshot]
	KindBeat                            // [Beat]
	KindBye                             // nothing but the header
	KindSnapshotRequest                 // [SnapshotRequest]
	KindRecoverRequest                  // [RecoverRequest]
	KindRecovered                       // [Recovered]
	KindMarker                          // [Marker]
	KindAck                             // [Marker]
	KindLoss                            // [Loss]
	KindOwed                            // [Owed]
	kinds
)

// Known reports whether this release knows the kind.
func (k Kind) Known() bool { return k > 0 && k < kinds }

// Reasons not to use a message.
var (
	ErrMajor     = errors.New("message of another major version")
	ErrMalformed = errors.New("malformed message")
)

// headerLen is the length of version, kind and origin, in front of the groups.
const headerLen = 1 + 1 + 8

// Header begins every message.
type Header struct {
	Kind   Kind
	Origin NodeID // who sent it
}

// Body is what follows the header: groups of fields, each with its length in
// front.
type Body []byte

// Open cuts a message into header and body. A kind need not be known.
func Open(message []byte) (Header, Body, error) {
	switch {
	case len(message) == 0:
		return Header{}, nil, ErrMalformed
	case message[0] != Version:
		return Header{}, nil, ErrMajor
	case len(message) < headerLen:
		return Header{}, nil, ErrMalformed
	}
	h := Header{Kind: Kind(message[1]), Origin: NodeID(binary.BigEndian.Uint64(message[2:]))}
	return h, Body(message[headerLen:]), nil
}

// AppendBye appends the message of a node that leaves.
func AppendBye(b []byte, origin NodeID) []byte { return appendHeader(b, KindBye, origin) }

func appendHeader(b []byte, kind Kind, origin NodeID) []byte {
	b = append(b, Version, byte(kind))
	return binary.BigEndian.AppendUint64(b, uint64(origin))
}
