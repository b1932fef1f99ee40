package broker

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Names makes strings of the names in messages, the same one for a name that has come
// before, so that an event takes no memory for its names. The zero value is
// ready. Not for concurrent use.
type Names struct {
	apps     map[string]apps.ID
	channels map[string]protocol.ChannelName
}

// maxNames bounds each of the two maps; a full one begins anew.
const maxNames = 16 << 10

// maxApp is the longest app id, in bytes: what engines promise to carry.
const maxApp = 200

func (n *Names) app(name []byte) (apps.ID, bool) {
	if id, ok := n.apps[string(name)]; ok {
		return id, true
	}
	if len(name) == 0 || len(name) > maxApp {
		return "", false
	}
	if n.apps == nil || len(n.apps) == maxNames {
		n.apps = make(map[string]apps.ID)
	}
	id := apps.ID(name)
	n.apps[string(id)] = id
	return id, true
}

func (n *Names) channel(name []byte) (protocol.ChannelName, bool) {
	if channel, ok := n.channels[string(name)]; ok {
		return channel, true
	}
	channel, ok := protocol.ParseChannelName(string(name))
	if !ok {
		return "", false
	}
	if n.channels == nil || len(n.channels) == maxNames {
		n.channels = make(map[string]protocol.ChannelName)
	}
	n.channels[string(channel)] = channel
	return channel, true
}
