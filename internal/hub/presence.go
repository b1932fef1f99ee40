package hub

import (
	"errors"
	"slices"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// member is one user on one presence channel, whatever the number of its
// connections. Its info is that of the first of them while the user stays.
type member struct {
	protocol.Member
	connections int
}

// members are the users of a presence channel, in order of arrival. The zero
// value is empty.
type members struct {
	byID  map[string]*member
	order []*member
}

// full reports whether userID would be a new user over the limit. It is false
// where there are no members, as on channels other than presence channels.
func (m *members) full(userID string, limit int) bool {
	return len(m.order) > 0 && len(m.order) >= limit && m.byID[userID] == nil
}

// enter counts a connection of the user; arrived is true for its first.
func (m *members) enter(identity protocol.Member) (entry *member, arrived bool) {
	entry = m.byID[identity.UserID]
	if entry == nil {
		identity.Info = slices.Clone(identity.Info) // not the whole text it was cut from
		entry = &member{Member: identity}
		if m.byID == nil {
			m.byID = make(map[string]*member)
		}
		m.byID[identity.UserID] = entry
		m.order = append(m.order, entry)
		arrived = true
	}
	entry.connections++
	return entry, arrived
}

// exit counts a connection off; it is true for the user's last.
func (m *members) exit(entry *member) (gone bool) {
	if entry.connections--; entry.connections > 0 {
		return false
	}
	delete(m.byID, entry.UserID)
	if i := slices.Index(m.order, entry); i >= 0 {
		m.order = slices.Delete(m.order, i, i+1)
	}
	return true
}

func (m *members) snapshot() []protocol.Member {
	all := make([]protocol.Member, len(m.order))
	for i, entry := range m.order {
		all[i] = entry.Member
	}
	return all
}

// presenceIdentity returns who the connection will be on a presence channel:
// what the channel data says, else what it signed in as (§3.6). The zero Member
// is returned for other channels.
func (a *Attachment) presenceIdentity(
	name protocol.ChannelName, r SubscribeRequest,
) (protocol.Member, *protocol.Refusal) {
	if !name.Kind().Has(protocol.Presence) {
		return protocol.Member{}, nil
	}
	identity := protocol.Member{}
	if r.ChannelData == nil {
		identity = protocol.Member{UserID: a.signin.userID, Info: a.signin.userInfo}
	} else {
		var err error
		if identity, err = parseChannelData(*r.ChannelData); err != nil {
			return identity, protocol.RefuseChannelData(name)
		}
	}
	app := a.App()
	if utf8.RuneCountInString(identity.UserID) > app.MaxUserIDChars {
		return identity, protocol.RefuseUserID(name, app.MaxUserIDChars)
	}
	if len(identity.Info) > app.MaxUserInfoBytes {
		return identity, protocol.RefuseUserInfo(name, app.MaxUserInfoBytes)
	}
	return identity, nil
}

var errNoUserID = errors.New("no usable user_id")

// parseChannelData reads {"user_id":…,"user_info":…}. user_info keeps its text.
func parseChannelData(text string) (protocol.Member, error) {
	var m protocol.Member
	value, err := strictjson.Parse([]byte(text))
	if err != nil {
		return m, err
	}
	err = value.Members(func(key []byte, value strictjson.Value) error {
		switch string(key) {
		case "user_id":
			m.UserID = idText(value)
		case "user_info":
			m.Info = presentInfo(value)
		}
		return nil
	})
	if err == nil && m.UserID == "" {
		err = errNoUserID
	}
	return m, err
}

// idText returns a user id that came as a string or as a number, the latter by
// its literal text, and "" for anything else.
func idText(v strictjson.Value) string {
	if v.Kind() == strictjson.Number {
		return string(v)
	}
	text, _ := v.Text()
	return text
}

func presentInfo(v strictjson.Value) []byte {
	if v.IsAbsent() {
		return nil
	}
	return v
}
