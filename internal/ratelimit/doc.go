// Package ratelimit limits how often something happens, by the generic cell
// rate algorithm (GCRA): a token bucket whose whole state is one instant, so a
// [Bucket] is eight bytes and needs no lock, no timer and no goroutine.
//
// The caller passes the time. Instants with a monotonic reading, as [time.Now]
// gives them, are compared by it, so steps of the wall clock neither open nor
// shut a bucket. Instants without one are compared by the wall clock; do not
// mix the two kinds on one bucket.
//
// Every function may be called concurrently.
package ratelimit
