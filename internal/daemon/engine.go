package daemon

import (
	"crypto/tls"
	"log/slog"

	"github.com/pipesocket/pipesocketd/internal/apps"
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

// requiring is an engine whose servers may take less than nodes have to send.
type requiring interface {
	// Require returns an error if that is so of the present server.
	Require(bytes int, settings string) error
}

// fitEngine has the engine carry whatever these apps allow.
func (d *daemon) fitEngine(all []*apps.App) error {
	if d.fits == nil {
		return nil
	}
	return d.fits.Require(largestMessage(all), "apps[].max_event_bytes and apps[].max_user_info_bytes")
}

const (
	// mostPerByte is what a byte of an event's data may take: "\u0061" is one.
	mostPerByte = 6

	// copies of an event's data are in a message if it fills a cache.
	copies = 2

	// besideData is what the rest of a message may take: some 30 KiB of names in an
	// event, 32 KiB of other things in a part of an answer, 100 KiB of names where
	// events were lost on many channels.
	besideData = 128 << 10
)

// largestMessage returns how long a message to other nodes may become.
func largestMessage(all []*apps.App) int {
	most := 0
	for _, app := range all {
		most = max(most, copies*mostPerByte*app.MaxEventBytes, app.MaxUserInfoBytes)
	}
	return besideData + most
}
