// Package engines starts what nodes of a cluster are joined by, for tests: real
// Redis and NATS servers as processes on loopback, alone, as clusters and with
// sentinels. Nothing of the machine's own services is touched.
//
// A [Proxy] in front of each server makes the faults of a network. It knows which
// process a connection comes from, so that one node can be cut off while the
// others, which use the same addresses, are not. That works with engines that
// tell their clients addresses, as clusters do: they tell those of the proxies.
//
// Functions whose names end in For are for one test, which they end on faults and
// which ends what they start.
package engines
