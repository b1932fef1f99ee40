package httpapi

import (
	"strconv"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// postLegacyEvent publishes the body, as it is, as the data of an event named in
// the query (§7.9).
func (a *API) postLegacyEvent(c *call) error {
	var p eventParams
	if err := queryString(&c.query, "name", &p.name); err != nil {
		return err
	}
	if err := queryString(&c.query, "socket_id", &p.socketID); err != nil {
		return err
	}
	name, err := c.eventName(p.name)
	if err != nil {
		return err
	}
	channel, err := parseChannel(c.channel)
	if err != nil {
		return err
	}
	except, err := exceptSocket(p.socketID)
	if err != nil {
		return err
	}
	if !utf8.Valid(c.body) {
		return errUTF8
	}
	if len(c.body) > c.app.MaxEventBytes {
		return errEventSize(c.app.MaxEventBytes)
	}
	a.hub.PublishEach(c.app, hub.Publication{
		Event: name, Data: protocol.PayloadOfText(c.body), Except: except,
	}, channel)
	c.out = append(c.out, emptyObject...)
	return nil
}

// getLegacyStats tells the size of a channel in the words of old libraries (§7.9).
func (a *API) getLegacyStats(c *call) error {
	name, err := parseChannel(c.channel)
	if err != nil {
		return err
	}
	a.hub.Await(hub.Heard)
	info := a.hub.Channel(c.app, name)
	c.out = strconv.AppendBool(append(c.out, `{"occupied":`...), info.Subscriptions > 0)
	c.out = appendCounts(c.out, info, userCount)
	c.out = append(appendInt(c.out, "connection_count", info.Subscriptions), '}')
	return nil
}
