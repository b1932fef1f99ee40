package daemon

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
)

// announce tells where the server listens, and a newcomer how to begin.
func (d *daemon) announce() {
	scheme := "http"
	if d.certificate != nil {
		scheme = "https"
	}
	public := scheme + "://" + d.public.Addr().String()
	ops := "http://" + d.ops.Addr().String()
	d.o.Log.Info("ready", "public", public, "ops", ops, "version", d.o.Version, "apps", len(d.apps.All()))
	switch d.credentials.Kind {
	case config.Configured:
	case config.Development:
		d.o.Log.Warn("no app is configured: serving the well-known development app, on loopback only",
			"app_id", d.credentials.AppID, "key", d.credentials.Key)
		d.print(gettingStarted(scheme, d.public.Addr(), d.o.Config.Mount, d.credentials, time.Now()))
	case config.Generated:
		d.o.Log.Warn("no app is configured: serving an app with generated credentials, printed once to standard output",
			"app_id", d.credentials.AppID)
		d.print(gettingStarted(scheme, d.public.Addr(), d.o.Config.Mount, d.credentials, time.Now()))
	}
	d.print(fmt.Sprintf("pipesocketd ready: public=%s ops=%s\n", public, ops))
}

func (d *daemon) print(text string) {
	_, _ = fmt.Fprint(d.o.Stdout, text) // a closed standard output is no reason to stop
}

// gettingStarted returns the credentials and two things to paste: a client and a
// signed request that publishes to it, which is valid for ten minutes.
func gettingStarted(scheme string, addr net.Addr, mount string, c config.Credentials, now time.Time) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return ""
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	const body = `{"name":"my-event","channel":"my-channel","data":"{\"hello\":\"world\"}"}`
	path := mount + "/apps/" + string(c.AppID) + "/events"
	pair := auth.Key{Key: c.Key, Secret: c.Secret}
	request := url.URL{
		Scheme: scheme, Host: net.JoinHostPort(host, port), Path: path,
		RawQuery: auth.SignedQuery(pair, http.MethodPost, path, nil, []byte(body), now),
	}
	var wsPath string
	if mount != "" {
		wsPath = fmt.Sprintf("\n    wsPath: %q,", mount)
	}
	return strings.NewReplacer(
		"{id}", string(c.AppID), "{key}", c.Key, "{secret}", string(c.Secret),
		"{host}", host, "{port}", port, "{tls}", fmt.Sprint(scheme == "https"), "{wsPath}", wsPath,
		"{body}", body, "{url}", request.String(),
	).Replace(gettingStartedText)
}

const gettingStartedText = `
  app id {id}, key {key}, secret {secret}

  In a page or in Node, with pusher-js:

  const pusher = new Pusher("{key}", {
    wsHost: "{host}", wsPort: {port}, wssPort: {port},{wsPath}
    forceTLS: {tls}, enabledTransports: ["ws", "wss"], cluster: "self",
  });
  pusher.subscribe("my-channel").bind("my-event", (data) => console.log(data));

  Publish to it from a shell (signed now, valid for ten minutes; later: pipesocketd trigger):

  curl -H 'Content-Type: application/json' -d '{body}' \
    '{url}'

`
