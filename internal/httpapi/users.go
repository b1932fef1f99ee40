package httpapi

import (
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// getUsers lists the distinct users of a presence channel (§7.7).
func (a *API) getUsers(c *call) error {
	name, err := parseChannel(c.channel)
	if err != nil {
		return err
	}
	if !name.Kind().Has(protocol.Presence) {
		return errUsersChannel
	}
	a.hub.Await(hub.Heard)
	c.out = append(c.out, `{"users":[`...)
	for i, id := range a.hub.Users(c.app, name) {
		if i > 0 {
			c.out = append(c.out, ',')
		}
		c.out = append(strictjson.AppendString(append(c.out, `{"id":`...), id), '}')
	}
	c.out = append(c.out, "]}"...)
	return nil
}

// maxUserID is the longest user id, in characters (§7.8).
const maxUserID = 200

// terminateUser ends the connections that are signed in as a user. The body
// means nothing (§7.8).
func (a *API) terminateUser(c *call) error {
	if c.user == "" || !utf8.ValidString(c.user) || utf8.RuneCountInString(c.user) > maxUserID {
		return errUserID
	}
	a.hub.TerminateUser(c.app, c.user)
	c.out = append(c.out, emptyObject...)
	return nil
}
