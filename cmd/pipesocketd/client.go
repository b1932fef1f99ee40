package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
)

// A target is the app on a running server that a command speaks to.
type target struct {
	url                string // of the public listener, mount included
	appID, key, secret string
}

func (t *target) addFlags(flags *pflag.FlagSet) {
	config.AddFileFlag(flags)
	flags.StringVar(&t.url, "url", "", "URL of the server, such as https://example.com/mount")
	flags.StringVar(&t.appID, "app-id", "", "id of the app")
	flags.StringVar(&t.key, "key", "", "key of the app")
	flags.StringVar(&t.secret, "secret", "", "secret of the app; other users of the machine can see it here, not in PIPESOCKETD_APP_SECRET")
}

// complete fills in what no flag told.
func (p *program) complete(cmd *cobra.Command, t *target) error {
	if t.url != "" && t.appID != "" && t.key != "" && t.secret != "" {
		return nil
	}
	c, _, err := p.load(cmd, "")
	if err != nil {
		return invalid(exitUsage, err)
	}
	if err := t.takeFrom(c, p.environ); err != nil {
		return exitError{exitUsage, err}
	}
	return nil
}

// takeFrom takes the server and the app of a configuration. Key and secret
// belong together, so they are never taken from different places.
func (t *target) takeFrom(c *config.Config, environ []string) (err error) {
	if t.url == "" {
		if t.url, err = publicURL(c); err != nil {
			return err
		}
	}
	if (t.key == "") != (t.secret == "") {
		return errors.New("--key and --secret are given together")
	}
	id, pair, err := t.credentials(c, environ)
	if err != nil {
		return err
	}
	if t.appID == "" {
		t.appID = string(id)
	}
	if t.key == "" {
		t.key, t.secret = pair.Key, string(pair.Secret)
	}
	return nil
}

// credentials chooses the app: that of --app-id, that of the variables, the
// first of the file, the development app.
func (t *target) credentials(c *config.Config, environ []string) (apps.ID, auth.Key, error) {
	wanted := t.appID
	if wanted == "" {
		wanted = variable(environ, "PIPESOCKETD_APP_ID")
	}
	all := c.BuildApps()
	if len(all) == 0 {
		if wanted != "" && wanted != string(config.DevelopmentAppID) && t.key == "" {
			return "", auth.Key{}, fmt.Errorf("app %q is not configured here: give --key and --secret", wanted)
		}
		return config.DevelopmentAppID, auth.Key{Key: config.DevelopmentKey, Secret: config.DevelopmentSecret}, nil
	}
	i := 0
	if wanted != "" {
		i = slices.IndexFunc(all, func(app *apps.App) bool { return string(app.ID) == wanted })
	}
	switch {
	case i >= 0:
		return all[i].ID, all[i].Keys.Oldest(), nil
	case t.key != "":
		return apps.ID(wanted), auth.Key{}, nil
	default:
		return "", auth.Key{}, fmt.Errorf("app %q is not configured here: give --key and --secret", wanted)
	}
}

func (t *target) shownURL() string { return withoutPassword(t.url) }

// signed makes a signed request to a path below that of the app, whose segments
// are escaped.
func (t *target) signed(ctx context.Context, method, path string, params url.Values, body []byte, now time.Time) (*http.Request, error) {
	base, err := url.Parse(t.url)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("--url must be an http or https URL with a host")
	}
	target := base.JoinPath("apps", url.PathEscape(t.appID), path)
	pair := auth.Key{Key: t.key, Secret: auth.Secret(t.secret)}
	escaped := target.EscapedPath()
	if !strings.HasPrefix(escaped, "/") {
		escaped = "/" + escaped
	}
	target.RawQuery = auth.SignedQuery(pair, method, escaped, params, body, now)
	request, err := http.NewRequestWithContext(ctx, method, target.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// requestTimeout is the time for one request of a command.
const requestTimeout = 10 * time.Second

// asking is what a command is about, for the texts of errors.
type asking struct{ trying, refused string }

// ask sends a request, whose context has a deadline of requestTimeout, and returns
// the answer, of which no more than most bytes are read.
func (t *target) ask(request *http.Request, most int64, about asking) (string, error) {
	status, body, err := exchange(request, most)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "", fmt.Errorf("nothing listens at %s: is the server running, and is that its address?", t.shownURL())
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("no answer from %s within %s", t.shownURL(), requestTimeout)
	case err != nil:
		// The error of the client repeats the URL, with the signature in it.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return "", fmt.Errorf("%s %s: %w", about.trying, t.shownURL(), err)
	case status < 200 || status > 299:
		return "", fmt.Errorf("%s: %s", about.refused, answerText(status, body))
	}
	return body, nil
}
