package httpapi

import (
	"net/http"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// appByID returns the app that the path names.
func (a *API) appByID(id string) (*apps.App, error) {
	if app := a.registry.ByID(apps.ID(id)); app != nil {
		return app, nil
	}
	return nil, errUnknownApp
}

// appByKey returns the app that auth_key belongs to. Without one, the error is
// what the signature check says of such a request.
func (a *API) appByKey(query *auth.Query) (*apps.App, error) {
	key, _ := query.Get("auth_key")
	if app := a.registry.ByKey(key); app != nil {
		return app, nil
	}
	request := auth.Request{Query: query}
	_, err := request.Credentials(nil, a.now())
	return nil, err
}

// authenticate verifies the signature of the request and leaves its body in the
// call. What needs no body is checked before one is read, so that a stranger
// without a key of the app cannot make the server take one in.
func (a *API) authenticate(c *call, r *http.Request) error {
	now := a.now()
	request := auth.Request{
		Method:  r.Method,
		Path:    rawPath(r.URL),
		Mount:   a.mount,
		Query:   c.query,
		Explain: a.development,
	}
	pair, err := request.Credentials(c.app.Keys, now)
	if err != nil {
		return err
	}
	if c.body, err = readBody(c.body, r, a.maxBody); err != nil {
		return err
	}
	request.Body = c.body
	return request.VerifyWith(pair, now)
}
