// Package fastlane serves the requests that backends send all the time, triggers,
// without net/http, whose work on one (a goroutine that watches the connection,
// timers, contexts, header maps) costs more than all of ours.
//
// [Listener] stands between a TCP listener and the http.Server. It reads the head
// of each request itself (head.go). A trigger in the plain form that client
// libraries send is served from there by the API, on the same connection as long
// as such requests come (conn.go). At the first request that is anything else the
// connection goes to the http.Server together with all bytes that it has not
// answered (handed.go), and stays there. So what is not understood here is not
// refused here, and nothing is decided twice: a request is either served as
// net/http would have, or has not been touched.
//
// Every wait has a limit: for a head, for a body, between requests, and for a
// client that does not read its answers ([Limits]). A connection has one
// goroutine; [Listener.Close] ends those that wait for a request, and
// [Listener.Wait] returns after the last one.
package fastlane
