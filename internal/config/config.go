package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// Config is everything that can be configured. The rules table tells the meaning
// and the limits of each field. A Config is not changed after Load has returned
// it.
type Config struct {
	Listen                    string         `mapstructure:"listen"`
	Mount                     string         `mapstructure:"mount"`
	TLS                       TLS            `mapstructure:"tls"`
	Ops                       Ops            `mapstructure:"ops"`
	DataDir                   string         `mapstructure:"data_dir"`
	DrainWindow               time.Duration  `mapstructure:"drain_window"`
	Development               bool           `mapstructure:"development"`
	TrustedProxies            []netip.Prefix `mapstructure:"trusted_proxies"`
	ErrorBeforeClose          string         `mapstructure:"error_before_close"`
	SubscriptionErrorFrames   string         `mapstructure:"subscription_error_frames"`
	InternalSubscriptionError bool           `mapstructure:"internal_subscription_error"`
	DefaultProtocol           int            `mapstructure:"default_protocol"`
	Log                       Log            `mapstructure:"log"`
	Limits                    Limits         `mapstructure:"limits"`
	Webhooks                  Webhooks       `mapstructure:"webhooks"`
	History                   History        `mapstructure:"history"`
	Cluster                   Cluster        `mapstructure:"cluster"`
	Apps                      []App          `mapstructure:"apps"`

	ignoredVariables []string // for Warnings
}

// TLS names the certificate of the public listener; both files or neither.
type TLS struct {
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
}

// Enabled reports whether the public listener speaks TLS.
func (t TLS) Enabled() bool { return t.CertFile != "" }

// Ops is the listener for health, metrics, profiles and the operations API.
type Ops struct {
	Listen       string      `mapstructure:"listen"`
	Pprof        bool        `mapstructure:"pprof"`
	Token        auth.Secret `mapstructure:"token"` // "" for none
	RequireToken bool        `mapstructure:"require_token"`
}

// Log says what is logged and how.
type Log struct {
	Level  string `mapstructure:"level"`
	Format string `mapstructure:"format"`
}

// SlogLevel returns the level for slog; info if the name is unknown.
func (l Log) SlogLevel() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// Limits bound what the process takes from the network, over all apps.
type Limits struct {
	MaxConnections            int            `mapstructure:"max_connections"`
	MessageBytes              int            `mapstructure:"message_bytes"`
	RequestBytes              int            `mapstructure:"request_bytes"`
	HeaderBytes               int            `mapstructure:"header_bytes"`
	FramesPerSecond           int            `mapstructure:"frames_per_second"`
	ConnectionsPerSecondPerIP int            `mapstructure:"connections_per_second_per_ip"`
	ConnectionBurstPerIP      int            `mapstructure:"connection_burst_per_ip"`
	ExemptAddresses           []netip.Prefix `mapstructure:"exempt_addresses"`
}

// Webhooks are the settings of webhook delivery, over all apps.
type Webhooks struct {
	AllowAddresses []netip.Prefix `mapstructure:"allow_addresses"`
	GraceDelay     time.Duration  `mapstructure:"grace_delay"`
	Timeout        time.Duration  `mapstructure:"timeout"`
	MaxInFlight    int            `mapstructure:"max_in_flight"`
	QueueBytes     int            `mapstructure:"queue_bytes"` // 0: see QueueLimit

	// With a data directory only.
	TotalBytes   int           `mapstructure:"total_bytes"`
	QueueAge     time.Duration `mapstructure:"queue_age"`
	DeadBytes    int           `mapstructure:"dead_bytes"`
	KeepDead     time.Duration `mapstructure:"keep_dead"`
	KeepAttempts time.Duration `mapstructure:"keep_attempts"`

	CAFile         string `mapstructure:"ca_file"`
	ClientCertFile string `mapstructure:"client_cert_file"`
	ClientKeyFile  string `mapstructure:"client_key_file"`
}

// QueueLimit returns how many bytes of payloads may wait for one receiver: on
// disk there is more room than in memory.
func (c *Config) QueueLimit() int {
	switch {
	case c.Webhooks.QueueBytes > 0:
		return c.Webhooks.QueueBytes
	case c.DataDir != "":
		return 1 << 30
	}
	return 64 << 20
}

// History says where the events of all apps that keep some are kept.
type History struct {
	Database    string `mapstructure:"database"` // may hold a password
	BufferBytes int    `mapstructure:"buffer_bytes"`
}

// HistoryFile is the name of the history's database in the data directory.
const HistoryFile = "history.db"

// Values of the enumerated settings.
const (
	Auto = "auto" // error_before_close, log.format

	ErrorAlways = "always" // error_before_close

	SubscriptionErrorBoth = "both"       // subscription_error_frames
	SubscriptionErrorOnly = "error_only" // subscription_error_frames

	ClientEventString   = "string"   // apps[].client_event_data
	ClientEventVerbatim = "verbatim" // apps[].client_event_data

	LogText = "text" // log.format
	LogJSON = "json" // log.format
)

// Defaults returns the configuration of a server that is told nothing. It has
// no app; see [ResolveApps].
func Defaults() *Config {
	return &Config{
		Listen:                  "127.0.0.1:6001",
		Ops:                     Ops{Listen: "127.0.0.1:9601"},
		DrainWindow:             10 * time.Second,
		ErrorBeforeClose:        Auto,
		SubscriptionErrorFrames: SubscriptionErrorBoth,
		Log:                     Log{Level: "info", Format: Auto},
		Limits: Limits{
			MessageBytes:              64 << 10,
			RequestBytes:              1 << 20,
			HeaderBytes:               16 << 10,
			FramesPerSecond:           10_000,
			ConnectionsPerSecondPerIP: 500,
			ConnectionBurstPerIP:      5_000,
			ExemptAddresses: []netip.Prefix{
				netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"),
			},
		},
		Webhooks: Webhooks{
			GraceDelay:  3 * time.Second,
			Timeout:     10 * time.Second,
			MaxInFlight: 256,

			TotalBytes:   1 << (30 + 2*(^uint(0)>>63)), // 4 GiB, or 1 GiB where an int has 32 bits
			QueueAge:     72 * time.Hour,
			DeadBytes:    256 << 20,
			KeepDead:     7 * 24 * time.Hour,
			KeepAttempts: 24 * time.Hour,
		},
		History: History{BufferBytes: 32 << 20},
		Cluster: Cluster{
			Prefix:       "pipesocket",
			Lease:        6 * time.Second,
			ReplayEvents: 65_536,
			ReplayBytes:  16 << 20,
			ReplayAge:    time.Minute,
		},
	}
}
