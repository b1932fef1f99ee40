// Package embedded makes an engine of NATS servers inside the nodes themselves: core
// publish and subscribe, no storage, no other service.
//
// Every node listens for the others on one port and dials those that it knows: the
// seeds, and what they tell of. The servers form a full mesh, so a message takes at
// most one hop. A node is complete without others, and joins them when they appear:
// seeds are looked up again and dialled for as long as the node runs, and so is a
// node that was connected once, for a day.
//
// Who may reach the port and speaks the protocol is a node. With TLS, certificates of
// the cluster's own authority decide, in both directions. Without TLS, a secret may
// keep out who does not know it, but not who can read the network; without either the
// network has to be trusted.
//
// The node's own connection to its server goes through memory. The server insists on
// a port for clients besides: it is bound to loopback, on a number of the system's
// choice, admits only connections in memory, and is advertised to nobody.
//
// The build tag noembedded leaves the server out of the binary; New then returns an
// error that says so.
package embedded
