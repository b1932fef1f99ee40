package config

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// App is one tenant, with the settings of docs/protocol.md §0 under the same
// names. It becomes an [apps.App] by [Config.BuildApps].
type App struct {
	ID                    apps.ID       `mapstructure:"id"`
	Keys                  []Key         `mapstructure:"keys"`
	Enabled               bool          `mapstructure:"enabled"`
	TLSOnly               bool          `mapstructure:"tls_only"`
	MaxConnections        int           `mapstructure:"max_connections"`
	ClientEvents          bool          `mapstructure:"client_events"`
	ClientEventRate       int           `mapstructure:"client_event_rate"`
	ClientEventData       string        `mapstructure:"client_event_data"`
	SubscriptionCount     bool          `mapstructure:"subscription_count"`
	Watchlist             bool          `mapstructure:"watchlist"`
	MaxWatchlist          int           `mapstructure:"max_watchlist"`
	AuthorizedConnections bool          `mapstructure:"authorized_connections"`
	AuthorizedTimeout     time.Duration `mapstructure:"authorized_timeout"`
	MaxEventBytes         int           `mapstructure:"max_event_bytes"`
	MaxChannelsPerTrigger int           `mapstructure:"max_channels_per_trigger"`
	MaxBatch              int           `mapstructure:"max_batch"`
	MaxPresenceMembers    int           `mapstructure:"max_presence_members"`
	MaxUserInfoBytes      int           `mapstructure:"max_user_info_bytes"`
	MaxUserIDChars        int           `mapstructure:"max_user_id_chars"`
	CacheTTL              time.Duration `mapstructure:"cache_ttl"`
	ActivityTimeout       time.Duration `mapstructure:"activity_timeout"`
	PongTimeout           time.Duration `mapstructure:"pong_timeout"`
	AllowedOrigins        []string      `mapstructure:"allowed_origins"`
	BacklogBytes          int           `mapstructure:"backlog_bytes"`
	Compression           bool          `mapstructure:"compression"`
	CompressionMinBytes   int           `mapstructure:"compression_min_bytes"`
	History               AppHistory    `mapstructure:"history"`
	Webhooks              []Webhook     `mapstructure:"webhooks"`
}

// Key is one key pair of an app.
type Key struct {
	Key     string      `mapstructure:"key"`
	Secret  auth.Secret `mapstructure:"secret"`
	Created time.Time   `mapstructure:"created"` // zero if not given
}

// AppHistory says which of the app's events the history keeps, and how long.
type AppHistory struct {
	Channels []string      `mapstructure:"channels"` // patterns; none: history is off
	MaxAge   time.Duration `mapstructure:"max_age"`
	MaxBytes int           `mapstructure:"max_bytes"`
}

// Webhook is one receiver of an app's webhooks.
type Webhook struct {
	URL           string        `mapstructure:"url"`
	Events        []string      `mapstructure:"events"`
	ChannelPrefix string        `mapstructure:"channel_prefix"`
	ChannelSuffix string        `mapstructure:"channel_suffix"`
	ChannelGlob   string        `mapstructure:"channel_glob"`
	Headers       []Header      `mapstructure:"headers"`
	Batching      bool          `mapstructure:"batching"`
	BatchEvents   int           `mapstructure:"batch_events"`
	BatchBytes    int           `mapstructure:"batch_bytes"`
	BatchWait     time.Duration `mapstructure:"batch_wait"`
	SigningKey    string        `mapstructure:"signing_key"`
	RetryFor      time.Duration `mapstructure:"retry_for"`
	MaxInFlight   int           `mapstructure:"max_in_flight"`
}

// Header is one header of the requests to a receiver.
type Header struct {
	Name  string      `mapstructure:"name"`
	Value auth.Secret `mapstructure:"value"`
}

// WebhookEvents are the names that webhooks[].events may list (§8.2).
func WebhookEvents() []string {
	return []string{
		"channel_occupied", "channel_vacated", "member_added", "member_removed",
		"client_event", "cache_miss", "subscription_count",
	}
}

// DefaultWebhook returns a receiver without address and events and with every
// setting at its default, which is that of [apps.Endpoint.WithDefaults].
func DefaultWebhook() Webhook {
	d := apps.Endpoint{}.WithDefaults()
	return Webhook{
		BatchEvents: d.BatchEvents,
		BatchBytes:  d.BatchBytes,
		BatchWait:   d.BatchWait,
		MaxInFlight: d.MaxInFlight,
	}
}

// DefaultApp returns an app without credentials and with every setting at its
// default, which is that of [apps.Defaults].
func DefaultApp() App {
	d := apps.Defaults()
	return App{
		Enabled:               d.Enabled,
		TLSOnly:               d.TLSOnly,
		MaxConnections:        d.MaxConnections,
		ClientEvents:          d.ClientEvents,
		ClientEventRate:       d.ClientEventRate,
		ClientEventData:       ClientEventString,
		SubscriptionCount:     d.SubscriptionCount,
		Watchlist:             d.Watchlist,
		MaxWatchlist:          d.MaxWatchlist,
		AuthorizedConnections: d.AuthorizedConnections,
		AuthorizedTimeout:     d.AuthorizedTimeout,
		MaxEventBytes:         d.MaxEventBytes,
		MaxChannelsPerTrigger: d.MaxChannelsPerTrigger,
		MaxBatch:              d.MaxBatch,
		MaxPresenceMembers:    d.MaxPresenceMembers,
		MaxUserInfoBytes:      d.MaxUserInfoBytes,
		MaxUserIDChars:        d.MaxUserIDChars,
		CacheTTL:              d.CacheTTL,
		ActivityTimeout:       d.ActivityTimeout,
		PongTimeout:           d.PongTimeout,
		BacklogBytes:          d.BacklogBytes,
		Compression:           d.Compression,
		CompressionMinBytes:   d.CompressionMinBytes,
		History:               AppHistory{MaxAge: d.History.MaxAge, MaxBytes: int(d.History.MaxBytes)},
	}
}
