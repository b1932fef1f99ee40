package redisbroker

import (
	"crypto/tls"
	"errors"
	"net/url"
	"strings"

	"github.com/redis/rueidis"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// settings are what Options come to.
type settings struct {
	addresses   []string // of servers or sentinels; host:port, or a path
	unix        bool
	tls         *tls.Config // nil: plain TCP
	credentials credentials
	masterSet   string // of Sentinel
	sentinel    credentials
	prefix      string
	lanes       int
}

// errURL names no part of the URL: with a special character that is not escaped any
// part may hold some of the password.
var errURL = errors.New("redis: the URL is not valid; it has the form redis://user:password@host:port, with special characters in the password written as %XX")

func newSettings(o Options) (*settings, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, errURL
	}
	parsed, err := rueidis.ParseURL(o.URL)
	if err != nil {
		return nil, errURL
	}
	if !validPrefix(o.Prefix) {
		return nil, errors.New("redis: the prefix has to be 1 to 100 characters of a-z, A-Z, 0-9, -_.: alone")
	}
	query := u.Query()
	s := &settings{
		addresses:   parsed.InitAddress,
		unix:        u.Scheme == "unix",
		tls:         parsed.TLSConfig,
		credentials: credentials{parsed.Username, parsed.Password},
		masterSet:   parsed.Sentinel.MasterSet,
		sentinel:    credentials{query.Get("sentinel_username"), query.Get("sentinel_password")},
		prefix:      o.Prefix,
		lanes:       1 + channelLanes,
	}
	if s.unix || s.masterSet != "" {
		s.lanes = 1
	}
	return s, s.secure(o.TLS)
}

// secure merges the caller's TLS settings. The name that certificates are checked
// against is the URL's host unless they have another.
func (s *settings) secure(c *tls.Config) error {
	switch {
	case c == nil:
		return nil
	case s.tls == nil:
		return errors.New("redis: certificates need a URL with rediss://")
	}
	merged := c.Clone()
	if merged.ServerName == "" {
		merged.ServerName = s.tls.ServerName
	}
	if merged.MinVersion == 0 {
		merged.MinVersion = tls.VersionTLS12
	}
	s.tls = merged
	return nil
}

func (s *settings) lane(subject broker.Subject) int {
	if s.lanes == 1 {
		return 0
	}
	return lane(subject)
}

// redact takes passwords out of an error. Old servers repeat commands that they do
// not know, and with them what a connection begins with.
func (s *settings) redact(err error) error {
	text := err.Error()
	for _, secret := range []string{s.credentials.password, s.sentinel.password} {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "***")
		}
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}
