package cluster

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var _ hub.Resyncer = (*Node)(nil)

// Publish implements [hub.Relay].
func (n *Node) Publish(r hub.Relayed) { n.queue.event(queuedEvent{Relayed: r}) }

// Interest implements [hub.Relay].
func (n *Node) Interest(app apps.ID, channel protocol.ChannelName, on bool) {
	n.queue.want(broker.ChannelOf{App: app, Channel: channel}, on)
}

// Changed implements [hub.Relay].
func (n *Node) Changed(k hub.ShareKey) { n.queue.share(k) }

// Terminate implements [hub.Relay].
func (n *Node) Terminate(app apps.ID, userID string) {
	n.queue.event(queuedEvent{Relayed: hub.Relayed{App: app}, user: userID})
}

// Resync implements [hub.Resyncer].
func (n *Node) Resync() { n.inbox.do((*worker).resync) }
