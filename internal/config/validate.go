package config

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
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
	c.checkTLS(&across)
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

func (c *Config) checkTLS(found *faults) {
	switch {
	case c.TLS.CertFile == "" && c.TLS.KeyFile == "":
		return
	case c.TLS.CertFile == "":
		found.add("tls.cert_file", "", "is missing beside tls.key_file")
		return
	case c.TLS.KeyFile == "":
		found.add("tls.key_file", "", "is missing beside tls.cert_file")
		return
	}
	readable := true
	for _, file := range []struct{ path, name string }{{"tls.cert_file", c.TLS.CertFile}, {"tls.key_file", c.TLS.KeyFile}} {
		if _, err := os.ReadFile(file.name); err != nil {
			readable = false
			found.add(file.path, "", "cannot be read: "+err.Error())
		}
	}
	if !readable {
		return
	}
	if _, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile); err != nil {
		found.add("tls.cert_file", "", "is no certificate with the key of tls.key_file: "+strings.TrimPrefix(err.Error(), "tls: "))
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
		for j := range app.Webhooks {
			if len(app.Webhooks[j].Events) == 0 {
				found.add(index(path+".webhooks", j)+".events", "", "must list at least one event")
			}
		}
	}
}

// wellKnown reports whether anybody can read the secret in the documentation or
// in an example file, whatever the key beside it.
func wellKnown(secret auth.Secret) bool {
	return secret == DevelopmentSecret || secret == exampleSecret || strings.HasPrefix(string(secret), "replace-")
}
