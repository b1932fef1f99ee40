// Package httpapi serves the two HTTP surfaces of the program: the signed API
// for backends (docs/protocol.md §7) and the operations listener.
//
// [New] makes the API. A request goes through one short path: the router finds
// the endpoint (router.go), the app is looked up, the signature is verified
// (signature.go), and the endpoint parses, asks the hub and answers. Rules of
// the domain live in the hub and in package auth. Nothing is published if any
// part of a request is invalid.
//
// Every answer is JSON with status 200 (202 on the legacy trigger) or one line of
// plain text ending in a newline (errors.go). Answers carry no CORS headers,
// except those of the fallback transports that are not served: a browser must
// see that they are not there.
//
// Bodies are read into pooled buffers. What is cut from a body must not outlive
// its request; the one thing that does, the payload of an event, is copied when
// the event is made (events.go).
//
// [NewOps] makes the handler of the operations listener: liveness, readiness,
// metrics and profiles, open to whoever reaches it unless the token is required.
// [NewOpsAPI] makes what is below /api/ there, for those who may: looking at
// webhooks that are kept, replaying and dropping them.
//
// Handlers keep no state between requests and may be used concurrently. There is
// no goroutine and no lock here. Time limits are those of the http.Server.
package httpapi
