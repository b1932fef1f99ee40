package config

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// Warnings tell what is allowed but probably not meant, one line each, in the
// form of faults.
func (c *Config) Warnings() []string {
	var found faults
	for _, name := range c.ignoredVariables {
		found.add("", name, "is an unknown variable and ignored")
	}
	if c.Cluster.openToOthers() {
		found.add("cluster.listen", "", "is open to everybody who reaches it: set cluster.secret, or cluster.tls")
	}
	public := !listensOnLoopback(c.Listen)
	for i := range c.Apps {
		app, path := &c.Apps[i], index("apps", i)
		if strings.Trim(string(app.ID), "0123456789") != "" {
			found.add(path+".id", "", "is not all digits, which several server libraries refuse")
		}
		for j, pair := range app.Keys {
			if public && len(pair.Secret) < shortSecret {
				found.add(index(path+".keys", j)+".secret", "", "is short enough to be guessed; use 20 random characters or more")
			}
		}
		for j, webhook := range app.Webhooks {
			at := index(path+".webhooks", j)
			events := at + ".events"
			if webhook.Batching && webhook.BatchBytes > c.QueueLimit() {
				found.add(at+".batch_bytes", "", "is more than webhooks.queue_bytes lets wait")
			}
			if half := (c.Webhooks.MaxInFlight + 1) / 2; webhook.MaxInFlight > half && webhook.MaxInFlight > DefaultWebhook().MaxInFlight {
				found.add(at+".max_in_flight", "", "is more than the half of webhooks.max_in_flight that one receiver gets")
			}
			if len(webhook.Headers) > 0 && readableOnTheWay(webhook.URL) {
				found.add(at+".headers", "", "are sent without TLS, for anybody on the way to read")
			}
			if !app.ClientEvents && slices.Contains(webhook.Events, "client_event") {
				found.add(events, "", "lists client_event, but client_events is off for this app")
			}
			if !app.SubscriptionCount && slices.Contains(webhook.Events, "subscription_count") {
				found.add(events, "", "lists subscription_count, but subscription_count is off for this app")
			}
		}
		if app.MaxEventBytes > c.Limits.RequestBytes {
			found.add(path+".max_event_bytes", "", "is more than limits.request_bytes lets through")
		}
		if app.TLSOnly && !c.TLS.Enabled() && len(c.TrustedProxies) == 0 {
			found.add(path+".tls_only", "", "is on, but there is neither tls nor a trusted proxy that ends it: nobody can connect")
		}
	}
	for i, prefix := range c.TrustedProxies {
		if prefix.Bits() == 0 {
			found.add(index("trusted_proxies", i), "", "is every address: any client can pretend to be another")
		}
	}
	lines := make([]string, len(found))
	for i := range found {
		lines[i] = found[i].Error()
	}
	return lines
}

// readableOnTheWay reports whether requests to the URL leave this machine without
// TLS.
func readableOnTheWay(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Scheme == "http" && !listensOnLoopback(net.JoinHostPort(u.Hostname(), "80"))
}

// shortSecret is how many characters a secret that nobody guesses has at least.
const shortSecret = 16
