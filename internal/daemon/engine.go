package daemon

import (
	"crypto/tls"
	"log/slog"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/natsbroker"
	"github.com/pipesocket/pipesocketd/internal/broker/natsbroker/embedded"
	"github.com/pipesocket/pipesocketd/internal/broker/redisbroker"
	"github.com/pipesocket/pipesocketd/internal/config"
)

// engineOf makes the engine that the configuration names. It connects to nothing.
func engineOf(c config.Cluster, trust *tls.Config, log *slog.Logger) (broker.Engine, error) {
	switch {
	case c.Embedded():
		return embedded.New(embedded.Options{
			Listen: c.Listen,
			Seeds:  c.SeedAddresses(),
			Prefix: c.Prefix,
			TLS:    trust,
			Secret: string(c.Secret),
			Name:   c.Node,
			Log:    log,
		})
	case c.Redis():
		return redisbroker.New(redisbroker.Options{URL: c.Engine, Prefix: c.Prefix, TLS: trust, Log: log})
	default:
		return natsbroker.New(natsbroker.Options{URL: c.Engine, Prefix: c.Prefix, TLS: trust, Name: c.Node, Log: log})
	}
}
