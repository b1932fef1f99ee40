// Command clusterbench measures what a cluster costs beside a single node.
//
//	clusterbench [-quick] [-turns N] [-only NAME,NAME…] [-systems NAME,NAME…] [-server FILE] [-results FILE]
//	clusterbench -table [-results FILE]
//	clusterbench -fanout [-systems redis,nats]
//
// It builds pipesocketd, starts the engines, and then in turns each system: a
// single node, and three nodes joined by Redis, by NATS, and by themselves. Each
// gets the same loads, by `pipesocketd bench` in a process of its own, over
// connections that are spread over its nodes. Since the machine is shared by all of
// that, and by whatever else runs on it, a system is compared with the single node
// of the same turn; the table tells medians over the turns, and how far apart they are.
//
// Results go to a file after each load, as JSON, and as a table in Markdown to
// standard output at the end. With -table only that is made. plan.go says what is measured.
// With -fanout it measures instead what the servers of Redis and NATS pay for a
// message, by the number of nodes that receive it.
// It needs Linux, since the cost of a process is read from /proc, and a
// redis-server in the path for that engine.
package main
