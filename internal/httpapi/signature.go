package httpapi

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// admit finds the app and checks of the signature what needs no body. path is as
// received.
func (c *call) admit(method, path, query, appID string) (err error) {
	a := c.api
	c.query.Parse(query)
	if c.endpoint.byKey {
		c.app, err = a.appByKey(&c.query)
	} else {
		c.app, err = a.appByID(appID)
	}
	if err != nil {
		return err
	}
	c.request = auth.Request{
		Method:  method,
		Path:    path,
		Mount:   a.mount,
		Query:   &c.query,
		Explain: a.development,
	}
	c.pair, err = c.request.Credentials(c.app.Keys, c.start)
	return err
}

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
