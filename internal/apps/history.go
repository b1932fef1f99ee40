package apps

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// History says which events of an app are kept in the history log, and for how
// long. The zero value keeps none.
type History struct {
	Channels []*protocol.ChannelGlob // whose events are kept; none: history is off
	MaxAge   time.Duration           // of an event; 0: no bound
	MaxBytes int64                   // of all events of the app, with what a row takes besides; 0: no bound
}

// Enabled reports whether events of any channel are kept.
func (h *History) Enabled() bool { return len(h.Channels) > 0 }

// Selects reports whether events of the channel are kept. It does not allocate.
func (h *History) Selects(name protocol.ChannelName) bool {
	for _, pattern := range h.Channels {
		if pattern.Matches(name) {
			return true
		}
	}
	return false
}
