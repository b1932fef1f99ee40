package httpapi

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// eventParams are the parameters of one event as they were sent. Values share
// memory with the request.
type eventParams struct {
	name, data, channel, channels, socketID, info strictjson.Value
}

// read takes the members of a JSON object; unknown ones are ignored.
func (p *eventParams) read(object strictjson.Value) error {
	return object.Members(func(key []byte, v strictjson.Value) error {
		switch string(key) {
		case "name":
			p.name = v
		case "data":
			p.data = v
		case "channel":
			p.channel = v
		case "channels":
			p.channels = v
		case "socket_id":
			p.socketID = v
		case "info":
			p.info = v
		}
		return nil
	})
}

// readQuery takes from the query what the body does not have (§7.1).
func (p *eventParams) readQuery(q *auth.Query) error {
	if p.channel.IsAbsent() && p.channels.IsAbsent() {
		var err error
		if p.channels, err = queryArray(q, "channels"); err != nil {
			return err
		}
		if err = queryString(q, "channel", &p.channel); err != nil {
			return err
		}
	}
	for _, field := range [...]struct {
		name string
		to   *strictjson.Value
	}{{"name", &p.name}, {"data", &p.data}, {"socket_id", &p.socketID}, {"info", &p.info}} {
		if err := queryString(q, field.name, field.to); err != nil {
			return err
		}
	}
	return nil
}

// queryString sets an absent value from the query.
func queryString(q *auth.Query, name string, to *strictjson.Value) error {
	if !to.IsAbsent() {
		return nil
	}
	text, ok := q.Get(name)
	if !ok {
		return nil
	}
	if !utf8.ValidString(text) {
		return errUTF8
	}
	*to = strictjson.AppendString(nil, text)
	return nil
}

func queryArray(q *auth.Query, name string) (strictjson.Value, error) {
	texts, ok := q.List(name)
	if !ok {
		return nil, nil
	}
	array := []byte{'['}
	for i, text := range texts {
		if !utf8.ValidString(text) {
			return nil, errUTF8
		}
		if i > 0 {
			array = append(array, ',')
		}
		array = strictjson.AppendString(array, text)
	}
	return append(array, ']'), nil
}

// event is a validated event. Its data still shares memory with the request.
type event struct {
	name     string
	data     strictjson.Value
	channels []protocol.ChannelName // distinct
	except   protocol.SocketID
	info     attributes
}

// event validates the parameters, in the order of the table in §7.3. The size of
// the data is left to [event.checkSize], since it comes after every other check
// of the request.
func (c *call) event(p *eventParams) (e event, err error) {
	if e.name, err = c.eventName(p.name); err != nil {
		return e, err
	}
	if e.data = p.data; e.data.IsAbsent() {
		return e, errMissing("data")
	}
	if e.channels, err = c.channelNames(p); err != nil {
		return e, err
	}
	if e.except, err = exceptSocket(p.socketID); err != nil {
		return e, err
	}
	e.info, err = infoOf(p.info)
	return e, err
}

func (e *event) checkSize(app *apps.App) error {
	size := len(e.data) // other values are delivered as their JSON text
	if e.data.Kind() == strictjson.String {
		size = e.data.TextLen()
	}
	if size > app.MaxEventBytes {
		return errEventSize(app.MaxEventBytes)
	}
	return nil
}

func (c *call) eventName(v strictjson.Value) (string, error) {
	if v.IsAbsent() {
		return "", errMissing("name")
	}
	name, ok := c.api.names.text(v)
	switch {
	case !ok:
		return "", errNameType
	case name == "":
		return "", errMissing("name")
	case strings.HasPrefix(name, protocol.ReservedPrefix):
		return "", errNameReserved
	}
	if n := utf8.RuneCountInString(name); n > protocol.MaxEventName {
		return "", errTooMany("Event name too long", n, protocol.MaxEventName)
	}
	return name, nil
}

// channelNames returns the channels of an event, in memory of the call.
func (c *call) channelNames(p *eventParams) ([]protocol.ChannelName, error) {
	first := len(c.names)
	if p.channels.IsAbsent() {
		name, err := c.channelName(p.channel)
		c.names = append(c.names, name)
		return c.names[first:], err
	}
	n := 0
	if err := p.channels.Elements(func(strictjson.Value) error { n++; return nil }); err != nil || n == 0 {
		return nil, errMissing("channel")
	}
	if limit := c.app.MaxChannelsPerTrigger; n > limit {
		return nil, errTooMany("Too many channels", n, limit)
	}
	c.names = slices.Grow(c.names, n)
	err := p.channels.Elements(func(v strictjson.Value) error {
		text, ok := c.api.names.text(v)
		if !ok {
			return errChannelName(string(v))
		}
		name, ok := protocol.ParseChannelName(text)
		if !ok {
			return errChannelName(text)
		}
		c.names = append(c.names, name)
		return nil
	})
	return unique(c.names[first:]), err
}

// channelName reads the single-channel form of a trigger.
func (c *call) channelName(v strictjson.Value) (protocol.ChannelName, error) {
	if v.IsAbsent() {
		return "", errMissing("channel")
	}
	text, ok := c.api.names.text(v)
	if !ok {
		return "", errChannelName(string(v))
	}
	return parseChannel(text)
}

// parseChannel checks the grammar of a channel name.
func parseChannel(text string) (protocol.ChannelName, error) {
	if text == "" {
		return "", errMissing("channel")
	}
	name, ok := protocol.ParseChannelName(text)
	if !ok {
		return "", errChannelName(text)
	}
	return name, nil
}

// unique removes repetitions and keeps the order. It changes names.
func unique(names []protocol.ChannelName) []protocol.ChannelName {
	kept := names[:0]
	if len(names) <= 16 { // faster than a map
		for _, name := range names {
			if !slices.Contains(kept, name) {
				kept = append(kept, name)
			}
		}
		return kept
	}
	seen := make(map[protocol.ChannelName]struct{}, len(names))
	for _, name := range names {
		if _, ok := seen[name]; !ok {
			seen[name] = struct{}{}
			kept = append(kept, name)
		}
	}
	return kept
}

// exceptSocket reads the connection to leave out; null and "" mean nobody.
func exceptSocket(v strictjson.Value) (protocol.SocketID, error) {
	if v.IsAbsent() {
		return "", nil
	}
	id, ok := v.Text()
	if !ok || id != "" && !protocol.ValidSocketID(id) {
		return "", errSocketID
	}
	return protocol.SocketID(id), nil
}
