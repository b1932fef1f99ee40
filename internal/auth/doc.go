// Package auth signs and verifies: channel subscriptions, user sign-ins, HTTP
// API requests and webhook bodies (docs/protocol.md §6). All of them are
// HMAC-SHA256 with the secret of one of an app's key pairs, written as hex.
//
// Signatures are compared in constant time. Errors and texts made here hold the
// string to sign, which the sender knows, and never a secret or the digest that
// would have been right. Everything is a pure function and may be used
// concurrently.
package auth
