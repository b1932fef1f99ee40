package cluster

import "github.com/pipesocket/pipesocketd/internal/broker"

// maxLost is how many channels are named when events had to be dropped.
const maxLost = 256

// lostChannels are those of which events were dropped before they could be sent.
type lostChannels struct {
	set map[broker.ChannelOf]struct{}
	all bool
}

func (l *lostChannels) empty() bool { return len(l.set) == 0 && !l.all }

func (l *lostChannels) add(e *queuedEvent) {
	if l.all || e.Channel == "" {
		return
	}
	if l.set == nil {
		l.set = make(map[broker.ChannelOf]struct{})
	}
	l.set[broker.ChannelOf{App: e.App, Channel: e.Channel}] = struct{}{}
	if len(l.set) > maxLost {
		l.set, l.all = nil, true
	}
}

// take returns what is to be told of it, and begins anew.
func (l *lostChannels) take() *broker.Loss {
	if l.empty() {
		return nil
	}
	loss := &broker.Loss{All: l.all}
	for c := range l.set {
		loss.Channels = append(loss.Channels, c)
	}
	*l = lostChannels{}
	return loss
}
