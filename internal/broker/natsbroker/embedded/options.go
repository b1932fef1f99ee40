package embedded

import (
	"context"
	"crypto/tls"
	"log/slog"
)

// Options are the settings of an engine.
type Options struct {
	// Listen is the host:port where other nodes connect. An empty host, 0.0.0.0 or ::
	// is every interface.
	Listen string

	// Seeds are other nodes as host:port. A name stands for all addresses that it has,
	// and is looked up again all the time. The node itself may be among them.
	Seeds []string

	// Prefix begins every subject and is the name of the cluster: nodes with another
	// one are refused. See natsbroker.Options.
	Prefix string

	// TLS, if set, is used in both directions. It must hold a certificate for servers
	// and clients and the RootCAs of the nodes' own authority, which every other node
	// has to prove to be of; any further authority there may name nodes too. A node
	// that is dialled has to be certified for ServerName if that is set, else for the
	// address that was dialled or the host of a seed.
	TLS *tls.Config

	// Secret, if set, has to be the same at every node. What is sent is derived from
	// it, but without TLS it can be read on the network.
	Secret string

	// Name is for people; the server's name begins with it.
	Name string

	// Lookup finds the addresses of a host; nil asks the system.
	Lookup func(ctx context.Context, host string) ([]string, error)

	Log *slog.Logger
}
