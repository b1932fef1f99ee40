package webhook

import (
	"net/http"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// settings are those of a lane's endpoint at one moment, defaults filled in. They
// never change: the routes of new settings of the app bring new ones.
type settings struct {
	apps.Endpoint
	app    *apps.App
	header http.Header // of every request; not to be changed
}

func settingsOf(app *apps.App, endpoint apps.Endpoint) *settings {
	s := &settings{Endpoint: endpoint.WithDefaults(), app: app, header: make(http.Header)}
	for _, h := range endpoint.Headers {
		s.header.Set(h.Name, string(h.Value))
	}
	return s
}

// signingKey returns the pair that signs for an endpoint now: the one it names,
// or the app's oldest (§8.1). That signs too if the named one is gone, which
// leaves it to the endpoint's last events.
func (d *Dispatcher) signingKey(app *apps.App, name string) auth.Key {
	keys := d.current(app).Keys
	if pair, ok := keys.Find(name); ok {
		return pair
	}
	return keys.Oldest()
}
