// Package protocol is the vocabulary of the wire: event names, channel-name
// grammar, socket ids, close and error codes with their texts, the frames that
// come in ([ParseFrame]) and the bytes of every frame that goes out ([Wire]).
//
// It knows no connection, no app and no rule of who may do what; docs/protocol.md
// is its specification, and comments name its sections. Everything here is a
// value or a pure function and may be used concurrently.
package protocol
