package httpapi

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

const emptyObject = "{}"

// postEvents publishes one event on one or more channels (§7.3).
func (a *API) postEvents(c *call) error {
	var p eventParams
	if len(c.body) > 0 {
		object, err := parseObject(c.body)
		if err != nil {
			return err
		}
		if err = p.read(object); err != nil {
			return err
		}
	}
	if err := p.readQuery(&c.query); err != nil {
		return err
	}
	e, err := c.event(&p)
	if err != nil {
		return err
	}
	if err = e.checkSize(c.app); err != nil {
		return err
	}
	a.hub.PublishEach(c.app, e.publication(""), e.channels...)
	c.out = a.appendTriggered(c.out, c.app, &e)
	return nil
}

// publication returns the event for one channel. Its data shares the memory of
// the body.
func (e *event) publication(channel protocol.ChannelName) hub.Publication {
	return hub.Publication{Channel: channel, Event: e.name, Data: protocol.PayloadOf(e.data), Except: e.except}
}

// appendTriggered appends the answer of a trigger: an empty object, or the
// asked counts of each channel.
func (a *API) appendTriggered(dst []byte, app *apps.App, e *event) []byte {
	if e.info == 0 {
		return append(dst, emptyObject...)
	}
	a.hub.Await(hub.Heard)
	dst = append(dst, `{"channels":{`...)
	for _, name := range e.channels {
		dst = a.appendCountsOf(appendKey(dst, name), app, name, e.info)
	}
	return append(dst, "}}"...)
}
