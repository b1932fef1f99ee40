// Package conformance checks a running pipesocketd from outside, as an unknown
// client would: real TCP, the built binary, and nothing but URLs, credentials
// and a webhook receiver. Its tests carry the numbers of the statements in
// docs/protocol.md §12 (P-001 …) in their names.
//
// The package imports nothing of the server and signs with its own code, so
// that a fault in the code under test cannot excuse itself. TestMain builds the
// binary with the race detector; PIPESOCKETD_BINARY names a finished one
// instead. A data race, a panic or a wrong exit status of a server fails the
// run.
//
// Most tests share one server ([shared]) with many apps, one per combination of
// settings, and use channel names of their own ([unique]). Tests that need other
// settings of the process start another one ([startServer]). Webhooks arrive at
// a receiver that notes them, or at one of package hostile, which misbehaves.
//
// PIPESOCKETD_CONFORMANCE_ENGINE names an engine, see package engines: then each
// server is a cluster of three nodes, joined by that engine, behind a proxy that
// gives each new connection to the next node. Clients cannot tell. The few tests
// that look at one process say why ([onOneNode]).
package conformance
