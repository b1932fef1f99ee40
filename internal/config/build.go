package config

import (
	"slices"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// BuildApps returns the configured apps as the server takes them, in their
// order. The Config must be valid. Key pairs come oldest first, as told in
// docs/configuration.md: pairs with a creation time are sorted
// among themselves, and pairs without one keep their place in the list.
func (c *Config) BuildApps() []*apps.App {
	built := make([]*apps.App, 0, len(c.Apps))
	for i := range c.Apps {
		built = append(built, c.Apps[i].build())
	}
	return built
}

func (a *App) build() *apps.App {
	app := apps.Defaults()
	app.ID = a.ID
	app.Keys = oldestFirst(a.Keys)
	app.Enabled = a.Enabled
	app.TLSOnly = a.TLSOnly
	app.MaxConnections = a.MaxConnections
	app.AuthorizedConnections = a.AuthorizedConnections
	app.AuthorizedTimeout = a.AuthorizedTimeout
	app.ActivityTimeout = a.ActivityTimeout
	app.PongTimeout = a.PongTimeout
	app.AllowedOrigins = slices.Clone(a.AllowedOrigins)
	app.BacklogBytes = a.BacklogBytes
	app.Compression = a.Compression
	app.CompressionMinBytes = a.CompressionMinBytes
	app.ClientEvents = a.ClientEvents
	app.ClientEventRate = a.ClientEventRate
	app.ClientEventsVerbatim = a.ClientEventData == ClientEventVerbatim
	app.SubscriptionCount = a.SubscriptionCount
	app.Watchlist = a.Watchlist
	app.MaxWatchlist = a.MaxWatchlist
	app.MaxEventBytes = a.MaxEventBytes
	app.MaxChannelsPerTrigger = a.MaxChannelsPerTrigger
	app.MaxBatch = a.MaxBatch
	app.MaxPresenceMembers = a.MaxPresenceMembers
	app.MaxUserInfoBytes = a.MaxUserInfoBytes
	app.MaxUserIDChars = a.MaxUserIDChars
	app.CacheTTL = a.CacheTTL
	app.History = a.History.build()
	for i := range a.Webhooks {
		app.Webhooks = append(app.Webhooks, a.Webhooks[i].build())
	}
	return &app
}

func (w *Webhook) build() apps.Endpoint {
	e := apps.Endpoint{
		URL:           w.URL,
		Events:        slices.Clone(w.Events),
		ChannelPrefix: w.ChannelPrefix,
		ChannelSuffix: w.ChannelSuffix,
		ChannelGlob:   w.ChannelGlob,
		Batching:      w.Batching,
		BatchEvents:   w.BatchEvents,
		BatchBytes:    w.BatchBytes,
		BatchWait:     w.BatchWait,
		SigningKey:    w.SigningKey,
		RetryFor:      w.RetryFor,
		MaxInFlight:   w.MaxInFlight,
	}
	for _, h := range w.Headers {
		e.Headers = append(e.Headers, apps.Header{Name: h.Name, Value: h.Value})
	}
	return e
}

func (h *AppHistory) build() apps.History {
	built := apps.History{MaxAge: h.MaxAge, MaxBytes: int64(h.MaxBytes)}
	for _, pattern := range h.Channels {
		if glob, ok := protocol.ParseChannelGlob(pattern); ok {
			built.Channels = append(built.Channels, glob)
		}
	}
	return built
}

// oldestFirst sorts the pairs that have a creation time into the places that
// such pairs hold, stably; the others stay where they are, so that a list
// without any time is taken as written.
func oldestFirst(keys []Key) auth.Keys {
	var dated []Key
	for _, k := range keys {
		if !k.Created.IsZero() {
			dated = append(dated, k)
		}
	}
	slices.SortStableFunc(dated, func(a, b Key) int { return a.Created.Compare(b.Created) })

	sorted := make(auth.Keys, 0, len(keys))
	for _, k := range keys {
		if !k.Created.IsZero() {
			k, dated = dated[0], dated[1:]
		}
		sorted = append(sorted, auth.Key{Key: k.Key, Secret: k.Secret, Created: k.Created})
	}
	return sorted
}
