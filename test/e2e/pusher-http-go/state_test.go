package pusherhttpgo

import (
	"slices"
	"testing"

	pusher "github.com/pusher/pusher-http-go/v5"
)

// P-208 P-209 P-215
func TestChannelsListsOccupiedOnes(t *testing.T) {
	room, empty := fresh(t, "presence-list"), fresh(t, "presence-none")
	for _, user := range []string{"1", "1", "2"} {
		connect(t).joinPresence(t, room, pusher.MemberData{UserID: user})
	}
	info := "user_count"
	for prefix, want := range map[string]map[string]pusher.ChannelListItem{
		room:  {room: {UserCount: 2}},
		empty: {},
	} {
		list, err := backend().Channels(pusher.ChannelsParams{FilterByPrefix: &prefix, Info: &info})
		if err != nil {
			t.Fatal(err)
		}
		if list.Channels == nil || len(list.Channels) != len(want) || list.Channels[room] != want[room] {
			t.Errorf("prefix %s: got %v, want %v", prefix, list.Channels, want)
		}
	}
}

// P-211 P-215
func TestChannelTellsItsState(t *testing.T) {
	room := fresh(t, "presence-")
	info := "user_count,subscription_count"
	want := pusher.Channel{Name: room}
	for _, user := range []string{"", "1", "1", "2"} {
		if user != "" {
			connect(t).joinPresence(t, room, pusher.MemberData{UserID: user})
			want.Occupied = true
			want.SubscriptionCount++
			want.UserCount = max(1, int(user[0]-'0'))
		}
		channel, err := backend().Channel(room, pusher.ChannelParams{Info: &info})
		if err != nil {
			t.Fatal(err)
		}
		if *channel != want {
			t.Errorf("got %+v, want %+v", *channel, want)
		}
	}
}

// P-214
func TestGetChannelUsers(t *testing.T) {
	room := fresh(t, "presence-")
	users := func() []pusher.User {
		t.Helper()
		answer, err := backend().GetChannelUsers(room)
		if err != nil {
			t.Fatal(err)
		}
		return answer.List
	}
	if got := users(); got == nil || len(got) != 0 {
		t.Errorf("empty channel: got %v, want an empty list", got)
	}
	for _, user := range []string{"b", "a", "b"} {
		connect(t).joinPresence(t, room, pusher.MemberData{UserID: user})
	}
	got := users()
	slices.SortFunc(got, func(x, y pusher.User) int { return int(x.ID[0]) - int(y.ID[0]) })
	if want := []pusher.User{{ID: "a"}, {ID: "b"}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := backend().GetChannelUsers("plain"); err == nil {
		t.Error("users of a channel without presence were listed")
	}
}
