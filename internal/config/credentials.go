package config

import (
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// The well-known credentials of the development app. They are served on
// loopback only.
const (
	DevelopmentAppID  apps.ID     = "1001"
	DevelopmentKey                = "app-key"
	DevelopmentSecret auth.Secret = "app-secret"
)

// CredentialKind says where the apps of a server come from.
type CredentialKind uint8

// Kinds of credentials.
const (
	Configured  CredentialKind = iota // from the configuration
	Development                       // the well-known development app
	Generated                         // one app with random credentials
)

// String returns the kind as a word for logs.
func (k CredentialKind) String() string {
	switch k {
	case Development:
		return "development"
	case Generated:
		return "generated"
	default:
		return "configured"
	}
}

// Credentials tell what [ResolveApps] chose. AppID, Key and Secret are those of
// the first app.
type Credentials struct {
	Kind   CredentialKind
	AppID  apps.ID
	Key    string
	Secret auth.Secret
	// Explain is the effective development mode: configured, or implied by the
	// development app.
	Explain bool
}

// ResolveApps returns the apps to serve. Without a configured app it is, on a
// loopback listener, the development app with its well-known credentials and
// client events on; on any other listener one app whose key and secret are read
// from random. It fails only if random does.
func ResolveApps(c *Config, random io.Reader) ([]*apps.App, Credentials, error) {
	if built := c.BuildApps(); len(built) > 0 {
		return built, credentialsOf(built[0], Configured, c.Development), nil
	}
	app := apps.Defaults()
	app.ID = DevelopmentAppID
	if listensOnLoopback(c.Listen) {
		app.Keys = auth.Keys{{Key: DevelopmentKey, Secret: DevelopmentSecret}}
		app.ClientEvents = true
		return []*apps.App{&app}, credentialsOf(&app, Development, true), nil
	}
	key, err := randomHex(random, 10) // hosted keys are 20 hex characters
	if err != nil {
		return nil, Credentials{}, fmt.Errorf("generate app key: %w", err)
	}
	secret, err := randomHex(random, 16)
	if err != nil {
		return nil, Credentials{}, fmt.Errorf("generate app secret: %w", err)
	}
	app.Keys = auth.Keys{{Key: key, Secret: auth.Secret(secret)}}
	return []*apps.App{&app}, credentialsOf(&app, Generated, c.Development), nil
}

func credentialsOf(app *apps.App, kind CredentialKind, explain bool) Credentials {
	pair := app.Keys.Oldest()
	return Credentials{Kind: kind, AppID: app.ID, Key: pair.Key, Secret: pair.Secret, Explain: explain}
}

func randomHex(random io.Reader, bytes int) (string, error) {
	raw := make([]byte, bytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", err
	}
	return hex.EncodeToString(raw), nil
}

// listensOnLoopback reports whether only this machine can connect to address.
// A host name other than localhost counts as public: what it resolves to can
// change.
func listensOnLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
