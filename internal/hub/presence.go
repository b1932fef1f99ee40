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
