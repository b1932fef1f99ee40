package broker

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Loss says that its origin had to drop events before it could send them.
type Loss struct {
	Channels []ChannelOf // of which events are missing
	All      bool        // there are more than those
}

// ChannelOf names a channel.
type ChannelOf struct {
	App     apps.ID
	Channel protocol.ChannelName
}

// Append appends the message.
func (l *Loss) Append(b []byte, origin NodeID) []byte {
	b = appendNumber(appendHeader(b, KindLoss, origin), flag(l.All, 1))
	b, start := beginGroup(b)
	for _, c := range l.Channels {
		var entry int
		b, entry = beginEntry(b)
		b = appendBytes(b, c.App)
		b = appendBytes(b, c.Channel)
		b = endEntry(b, entry)
	}
	return endGroup(b, start)
}

// ReadLoss reads the body of the message; names that are not valid are left out.
func ReadLoss(body Body, names *Names) (Loss, error) {
	all := fields{rest: body}
	head, list := all.group(), all.group()
	l := Loss{All: head.number()&1 != 0}
	for list.more() {
		f := fields{rest: list.entry()}
		app, okApp := names.app(f.bytes())
		channel, okChannel := names.channel(f.bytes())
		if okApp && okChannel {
			l.Channels = append(l.Channels, ChannelOf{App: app, Channel: channel})
		}
	}
	return l, check(&all, &head, &list)
}
