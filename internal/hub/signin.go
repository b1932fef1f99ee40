package hub

import (
	"slices"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// signin is who a connection has signed in as.
type signin struct {
	userID    string
	userInfo  []byte   // raw JSON, nil for none
	watchlist []string // distinct, within the limit
	overLimit bool     // the watchlist was longer
}

// Signin identifies the connection's user (§5.1). userData is the exact text
// that was sent. On success the connection has been sent signin_success and, on
// apps with watchlists, the state of the users it watches.
func (a *Attachment) Signin(authValue, userData string) *protocol.Refusal {
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
	if a.signin != nil && a.signin.userID != next.userID {
		return protocol.RefuseOtherUser
	}
	if !a.authorize() {
		return nil
	}
	if !app.Watchlist {
		next.watchlist, next.overLimit = nil, false
	}
	a.signInAs(next, userData, app.MaxWatchlist)
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
	text := auth.UserText(a.id, userData)
	if !pair.Secret.Verify([]byte(text), signature) {
		return protocol.RefuseSigninSignature(text, signature)
	}
	return nil
}

// parseUserData reads {"id":…,"user_info":…,"watchlist":[…]}; other keys are
// the application's own.
func parseUserData(text string, maxWatchlist int) (*signin, error) {
	s := &signin{}
	value, err := strictjson.Parse([]byte(text))
	if err != nil {
		return nil, err
	}
	err = value.Members(func(key []byte, value strictjson.Value) error {
		switch string(key) {
		case "id":
			s.userID = idText(value)
		case "user_info":
			s.userInfo = slices.Clone(presentInfo(value))
		case "watchlist":
			if value.Kind() == strictjson.Array {
				s.readWatchlist(value, maxWatchlist)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !protocol.ValidUserID(s.userID) {
		return nil, errNoUserID
	}
	return s, nil
}

// readWatchlist keeps the first max distinct ids; what is neither a string nor a
// number is skipped (§5.5).
func (s *signin) readWatchlist(list strictjson.Value, limit int) {
	seen := make(map[string]bool)
	_ = list.Elements(func(v strictjson.Value) error { // the kind is known, the callback never fails
		id := idText(v)
		if id == "" || seen[id] {
			return nil
		}
		if len(s.watchlist) >= limit {
			s.overLimit = true
			return nil
		}
		seen[id] = true
		s.watchlist = append(s.watchlist, id)
		return nil
	})
}
