package session

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// P-061, P-135, P-138, P-139: client events that come at the same time leave in
// one write, for a sender without its own.
func TestSendersGetTheEventsOfTheOthers(t *testing.T) {
	for _, channel := range []protocol.ChannelName{"private-room", "presence-room"} {
		for _, senders := range []int{1, 2, 5, 10} {
			t.Run(fmt.Sprintf("%s, %d senders", channel, senders), func(t *testing.T) {
				r := newRoom(t, channel, 10, slog.New(slog.DiscardHandler), nil)
				for _, m := range r.members {
					m.noting = true
				}
				for turn := range 3 {
					for i, m := range r.members[:senders] {
						m.receive(fmt.Appendf(nil, `{"event":"client-e","channel":%q,"data":"%d by %d"}`, channel, turn, i))
					}
					r.turn.End()
				}
				r.await(3 * senders * 9)
				for i, m := range r.members {
					if got, want := m.events(), r.eventsFor(i, senders, 3); got != want {
						t.Errorf("member %d got\n%s\nwant\n%s", i, got, want)
					}
				}
			})
		}
	}
}

// events returns what was written as lines of data and user id.
func (m *occupant) events() string {
	var all strings.Builder
	for _, f := range testkit.Frames(m.room.t, m.noted) {
		fmt.Fprintln(&all, f.Data, f.Field("user_id"))
	}
	return all.String()
}

// eventsFor returns what the member has to get of so many turns.
func (r *room) eventsFor(member, senders, turns int) string {
	var all strings.Builder
	for turn := range turns {
		for i := range senders {
			if i == member {
				continue
			}
			userID := ""
			if r.channel.Kind().Has(protocol.Presence) {
				userID = fmt.Sprintf(`"user-%08d"`, i)
			}
			fmt.Fprintf(&all, "%d by %d %s\n", turn, i, userID)
		}
	}
	return all.String()
}
