package hub

import (
	"errors"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// presenceIdentity returns who the connection will be on a presence channel:
// what the channel data says, else what it signed in as (§3.6). The zero text is
// returned for other channels.
func (a *Attachment) presenceIdentity(
	name protocol.ChannelName, r SubscribeRequest,
) (protocol.MemberText, *protocol.Refusal) {
	none := protocol.MemberText{}
	if !name.Kind().Has(protocol.Presence) {
		return none, nil
	}
	identity := protocol.Member{}
	if r.ChannelData == nil {
		identity = a.signin.member()
	} else {
		var err error
		if identity, err = parseChannelData(*r.ChannelData); err != nil {
			return none, protocol.RefuseChannelData(name)
		}
	}
	app := a.App()
	if utf8.RuneCountInString(identity.UserID) > app.MaxUserIDChars {
		return none, protocol.RefuseUserID(name, app.MaxUserIDChars)
	}
	if len(identity.Info) > app.MaxUserInfoBytes {
		return none, protocol.RefuseUserInfo(name, app.MaxUserInfoBytes)
	}
	return a.sharedText(protocol.NewMemberText(identity.UserID, identity.Info)), nil
}

// shareAmong is how many of a connection's subscriptions are looked at for a
// text to share.
const shareAmong = 16

// sharedText returns text, if possible as it is kept already: who is on several
// presence channels mostly is the same user with the same info on all of them.
func (a *Attachment) sharedText(text protocol.MemberText) protocol.MemberText {
	all := a.subscriptions.all()
	for _, sub := range all[:min(len(all), shareAmong)] {
		if sub.member != nil && sub.member.MemberText == text {
			return sub.member.MemberText
		}
	}
	return text
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

// enterMemberLocked counts a connection of the user, whom everybody else is told of
// if this is the first of all.
func (c *channel) enterMemberLocked(identity protocol.MemberText) *member {
	h := c.tenant.hub
	if h.relay == nil {
		entry, arrived := c.members.enter(identity)
		if arrived {
			c.memberAddedLocked(entry)
		}
		return entry
	}
	entry, arrived, came := c.members.enterShared(identity, h.clock)
	if came {
		c.memberChangedLocked(entry.UserID())
	}
	if arrived {
		c.memberAddedLocked(entry)
	}
	return entry
}

// exitMemberLocked counts a connection of the user off.
func (c *channel) exitMemberLocked(entry *member) {
	if c.tenant.hub.relay == nil {
		if c.members.exit(entry) {
			c.memberRemovedLocked(entry)
		}
		return
	}
	gone, went := c.members.exitShared(entry)
	if went {
		c.memberChangedLocked(entry.UserID())
	}
	if gone {
		c.memberRemovedLocked(entry)
	}
}

func (c *channel) memberAddedLocked(entry *member) {
	c.appendLocked(entry.Added(c.name), nil)
	c.emitLocked(Notice{Name: MemberAdded, UserID: entry.UserID()})
}

func (c *channel) memberRemovedLocked(entry *member) {
	c.appendLocked(entry.Removed(c.name), nil)
	c.emitLocked(Notice{Name: MemberRemoved, UserID: entry.UserID()})
}
