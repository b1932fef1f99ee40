// Package ws takes WebSocket connections in: it decides whether a connection is
// admitted (docs/protocol.md §1), completes the handshake through
// coder/websocket, and hands the connection to a session.
//
// The library does handshake, reading, fragmentation, pongs and the answer to
// close frames. Its writes, which are control frames only, go through the
// session's outbox like everything else (conn.go). No data message may be
// written through the library: messages above its buffer take several writes,
// and frames of ours would land between them.
package ws
