package httpapi

import (
	"strconv"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

const presencePrefix = "presence-"

// getChannels lists the occupied channels (§7.5).
func (a *API) getChannels(c *call) error {
	text, _ := c.query.Get("info")
	asked, err := parseInfo(text, counts)
	if err != nil {
		return err
	}
	prefix, _ := c.query.Get("filter_by_prefix")
	if asked.has(userCount) && !strings.HasPrefix(prefix, presencePrefix) {
		return errUserCountPrefix
	}
	a.hub.Await(hub.Heard)
	c.out = append(c.out, `{"channels":{`...)
	for _, info := range a.hub.Channels(c.app, prefix) {
		c.out = append(appendKey(c.out, info.Name), '{')
		c.out = append(appendCounts(c.out, info, asked), '}')
	}
	c.out = append(c.out, "}}"...)
	return nil
}

// getChannel tells about one channel, occupied or not (§7.6).
func (a *API) getChannel(c *call) error {
	name, err := parseChannel(c.channel)
	if err != nil {
		return err
	}
	text, _ := c.query.Get("info")
	asked, err := parseInfo(text, counts|cacheEntry)
	if err != nil {
		return err
	}
	if asked.has(userCount) && !name.Kind().Has(protocol.Presence) {
		return errUserCountChannel
	}
	if asked.has(cacheEntry) && !name.Kind().Has(protocol.Cached) {
		return errCacheChannel
	}
	a.hub.Await(hub.Heard)
	info := a.hub.Channel(c.app, name)
	c.out = strconv.AppendBool(append(c.out, `{"occupied":`...), info.Subscriptions > 0)
	c.out = appendCounts(c.out, info, asked)
	if asked.has(cacheEntry) {
		c.out = a.appendCached(appendKey(c.out, "cache"), c.app, name)
	}
	c.out = append(c.out, '}')
	return nil
}

// appendCached appends the cached event of a channel, or null.
func (a *API) appendCached(dst []byte, app *apps.App, name protocol.ChannelName) []byte {
	event, ok := a.hub.Cached(app, name)
	if !ok {
		return append(dst, "null"...)
	}
	dst = append(dst, `{"data":`...)
	dst = append(dst, event.Data...)
	// Whole seconds, rounded up: an entry that is still there has at least one.
	ttl := max(1, (event.Expires.Sub(a.now())+time.Second-1)/time.Second)
	return append(appendInt(dst, "ttl", int(ttl)), '}')
}
