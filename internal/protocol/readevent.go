package protocol

import (
	"fmt"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// ReadEvent reads a frame that [Event.Encode] or [ClientEvent.Encode] has made,
// for those that were handed the encoded frame and nothing else. Data that was
// sent verbatim becomes a string, as it is for webhooks. The data may share
// memory with w.
func ReadEvent(w Wire) (Event, error) {
	var e Event
	err := strictjson.ParseObject(w.Payload(), func(key []byte, value strictjson.Value) error {
		switch string(key) {
		case "event":
			e.Name, _ = value.Text()
		case "channel":
			channel, _ := value.Text()
			e.Channel = ChannelName(channel)
		case "data":
			e.Data = PayloadOf(value)
		case "user_id":
			e.UserID, _ = value.Text()
		}
		return nil
	})
	if err != nil {
		return Event{}, fmt.Errorf("read event frame: %w", err)
	}
	return e, nil
}
