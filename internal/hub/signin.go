package hub

import (
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// signin is who a connection has signed in as. What several connections have in
// common, the user's id and info and the users they watch, is kept once.
type signin struct {
	user      *user
	userInfo  string  // raw JSON, "" for none
	watchlist []*user // distinct
}

// member returns who the connection is on a presence channel that it subscribes
// without channel data.
func (s *signin) member() protocol.Member {
	return protocol.Member{UserID: s.user.id, Info: []byte(s.userInfo)}
}

// claims are what the user data of a sign-in say.
type claims struct {
	userID    string
	userInfo  string   // raw JSON, "" for none
	watchlist []string // distinct, within the limit
	overLimit bool     // the watchlist was longer
}

// Signin identifies the connection's user (§5.1). userData is the exact text
// that was sent. On success the connection has been sent signin_success and, on
// apps with watchlists, the state of the users it watches.
func (a *Attachment) Signin(t *Turn, authValue, userData string) *protocol.Refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.detached {
		return nil
	}
	if refusal := a.verifySignin(authValue, userData); refusal != nil {
		return refusal
	}
	app := a.App()
	next, err := parseUserData(userData, app.MaxWatchlist)
	if err != nil {
		return protocol.RefuseUserData
	}
	if a.signin != nil && a.signin.user.id != next.userID {
		return protocol.RefuseOtherUser
	}
	if !a.authorizeAcross(t) {
		return nil
	}
	if !app.Watchlist {
		next.watchlist, next.overLimit = nil, false
	}
	a.signInAs(t, next, userData, app.MaxWatchlist)
	return nil
}

func (a *Attachment) verifySignin(authValue, userData string) *protocol.Refusal {
	key, signature, ok := auth.Split(authValue)
	if !ok {
		return protocol.RefuseSigninFormat
	}
	pair, ok := a.App().Keys.Find(key)
	if !ok {
		return protocol.RefuseSigninKey(key)
	}
	if !pair.Secret.VerifyUser(a.id, userData, signature) {
		return protocol.RefuseSigninSignature(auth.UserText(a.id, userData), signature)
	}
	return nil
}

// parseUserData reads {"id":…,"user_info":…,"watchlist":[…]}; other keys are
// the application's own.
func parseUserData(text string, maxWatchlist int) (claims, error) {
	var c claims
	value, err := strictjson.Parse([]byte(text))
	if err != nil {
		return c, err
	}
	err = value.Members(func(key []byte, value strictjson.Value) error {
		switch string(key) {
		case "id":
			c.userID = idText(value)
		case "user_info":
			c.userInfo = string(presentInfo(value))
		case "watchlist":
			if value.Kind() == strictjson.Array {
				c.readWatchlist(value, maxWatchlist)
			}
		}
		return nil
	})
	if err != nil {
		return c, err
	}
	if !protocol.ValidUserID(c.userID) {
		return c, errNoUserID
	}
	return c, nil
}

// readWatchlist keeps the first max distinct ids; what is neither a string nor a
// number is skipped (§5.5).
func (c *claims) readWatchlist(list strictjson.Value, limit int) {
	seen := make(map[string]bool)
	_ = list.Elements(func(v strictjson.Value) error { // the kind is known, the callback never fails
		id := idText(v)
		if id == "" || seen[id] {
			return nil
		}
		if len(c.watchlist) >= limit {
			c.overLimit = true
			return nil
		}
		seen[id] = true
		c.watchlist = append(c.watchlist, id)
		return nil
	})
}
