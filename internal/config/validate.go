package config

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// Validate reports all that is wrong with the values of c, one line each, or
// nil. It reads the TLS files.
func (c *Config) Validate() error { return c.validate().err() }

func (c *Config) validate() faults {
	var found faults
	for _, l := range leaves(c) {
		if check := rules[l.key].check; check != nil {
			if wrong := check(l.value.Interface()); wrong != "" {
				found.add(l.path, "", wrong)
			}
		}
	}
	var across faults
	c.checkListeners(&across)
	checkPair(&across, pemFile{"tls.cert_file", c.TLS.CertFile}, pemFile{"tls.key_file", c.TLS.KeyFile})
	c.checkOps(&across)
	c.checkOutgoing(&across)
	c.checkCluster(&across)
	c.checkClusterApps(&across)
	c.checkApps(&across)
	found.addUnlessKnown(across)
	return found
}

// checkListeners refuses two listeners on one port. Port 0 is a new port each
// time.
func (c *Config) checkListeners(found *faults) {
	host, port, err := net.SplitHostPort(c.Listen)
	opsHost, opsPort, opsErr := net.SplitHostPort(c.Ops.Listen)
	if err == nil && opsErr == nil && port == opsPort && port != "0" && (host == opsHost || host == "" || opsHost == "") {
		found.add("ops.listen", "", "must not be the port of listen, "+port)
	}
}

func (c *Config) checkOps(found *faults) {
	if c.Ops.RequireToken && c.Ops.Token == "" {
		found.add("ops.token", "", "is missing beside ops.require_token")
	}
}

// pemFile is a file that a key names.
type pemFile struct{ path, name string }

// checkPair looks at a certificate and its key: both are given or neither.
func checkPair(found *faults, cert, key pemFile) {
	switch {
	case cert.name == "" && key.name == "":
		return
	case cert.name == "":
		found.add(cert.path, "", "is missing beside "+key.path)
		return
	case key.name == "":
		found.add(key.path, "", "is missing beside "+cert.path)
		return
	}
	readable := true
	for _, file := range []pemFile{cert, key} {
		if _, err := os.ReadFile(file.name); err != nil {
			readable = false
			found.add(file.path, "", "cannot be read: "+err.Error())
		}
	}
	if !readable {
		return
	}
	if _, err := tls.LoadX509KeyPair(cert.name, key.name); err != nil {
		found.add(cert.path, "", "is no certificate with the key of "+key.path+": "+strings.TrimPrefix(err.Error(), "tls: "))
	}
}

// checkApps looks at what apps must not share, and at lists that must not be
// empty.
func (c *Config) checkApps(found *faults) {
	ids := make(map[apps.ID]string)
	keys := make(map[string]string)
	public := !listensOnLoopback(c.Listen)
	for i := range c.Apps {
		app, path := &c.Apps[i], index("apps", i)
		if first, taken := ids[app.ID]; taken && app.ID != "" {
			found.add(path+".id", "", "is also that of "+first)
		} else {
			ids[app.ID] = path
		}
		if len(app.Keys) == 0 {
			found.add(path+".keys", "", "must have at least one key pair")
		}
		for j, pair := range app.Keys {
			pairPath := index(path+".keys", j)
			if first, taken := keys[pair.Key]; taken && pair.Key != "" {
				found.add(pairPath+".key", "", "is also "+first)
			} else {
				keys[pair.Key] = pairPath + ".key"
			}
			if public && wellKnown(pair.Secret) {
				found.add(pairPath+".secret", "", fmt.Sprintf(
					"is well known (key %s) and not served beyond loopback: make one of your own, or set listen to a loopback address",
					quoted(pair.Key)))
			}
		}
		if len(app.History.Channels) > 0 && c.DataDir == "" && c.History.Database == "" {
			found.add(path+".history.channels", "", "needs a database: set data_dir or history.database")
		}
		for j := range app.Webhooks {
			app.checkWebhook(&app.Webhooks[j], index(path+".webhooks", j), found)
		}
	}
}

func (a *App) checkWebhook(w *Webhook, path string, found *faults) {
	if len(w.Events) == 0 {
		found.add(path+".events", "", "must list at least one event")
	}
	if w.SigningKey != "" && !slices.ContainsFunc(a.Keys, func(k Key) bool { return k.Key == w.SigningKey }) {
		found.add(path+".signing_key", "", "is not the key of a pair of this app") // it may be a secret
	}
	w.checkHeaders(path, found)
}

// hasUser reports whether the URL holds a user or a password.
func (w *Webhook) hasUser() bool {
	u, err := url.Parse(w.URL)
	return err == nil && u.User != nil
}

// wellKnown reports whether anybody can read the secret in the documentation or
// in an example file, whatever the key beside it.
func wellKnown(secret auth.Secret) bool {
	return secret == DevelopmentSecret || secret == exampleSecret || strings.HasPrefix(string(secret), "replace-")
}
