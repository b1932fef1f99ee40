package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
)

// A trigger is one event to publish, and where.
type trigger struct {
	url                string // of the public listener, mount included
	appID, key, secret string
	event              event
}

const triggerTimeout = 10 * time.Second

func (p *program) triggerCommand() *cobra.Command {
	var t trigger
	command := &cobra.Command{
		Use:   "trigger",
		Short: "Publish one event through the HTTP API of a running server",
		Long: "trigger signs and sends one request to publish an event, and prints the answer.\n\n" +
			"Server and app are those of the configuration: of --config or PIPESOCKETD_CONFIG, and of PIPESOCKETD_APP_ID,\n" +
			"PIPESOCKETD_APP_KEY and PIPESOCKETD_APP_SECRET. If it has no app, the development app is taken.",
		Example: "  pipesocketd trigger --channel my-channel --event my-event --data '{\"hello\":\"world\"}'\n" +
			"  date | pipesocketd trigger --channel a --channel private-b --event tick --data -",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.complete(cmd, &t); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), triggerTimeout)
			defer cancel()
			answer, err := t.send(ctx)
			if err != nil {
				return failure(err)
			}
			_, err = fmt.Fprintln(p.stdout, strings.TrimSpace(answer))
			return wrapFailure(err)
		},
	}
	flags := command.Flags()
	config.AddFileFlag(flags)
	flags.StringVar(&t.url, "url", "", "URL of the server, such as https://example.com/mount")
	flags.StringVar(&t.appID, "app-id", "", "id of the app")
	flags.StringVar(&t.key, "key", "", "key of the app")
	flags.StringVar(&t.secret, "secret", "", "secret of the app; other users of the machine can see it here, not in PIPESOCKETD_APP_SECRET")
	flags.StringArrayVar(&t.event.Channels, "channel", []string{"my-channel"}, "channel to publish to; may be repeated")
	flags.StringVar(&t.event.Name, "event", "my-event", "name of the event")
	flags.StringVar(&t.event.Data, "data", `{"hello":"world"}`, "data of the event, sent as it is; - reads standard input")
	flags.StringVar(&t.event.SocketID, "socket-id", "", "connection that is not to receive the event")
	flags.StringVar(&t.event.Info, "info", "", "attributes to answer with: user_count, subscription_count")
	return command
}

// complete fills in what no flag told.
func (p *program) complete(cmd *cobra.Command, t *trigger) error {
	if t.url == "" || t.appID == "" || t.key == "" || t.secret == "" {
		c, _, err := p.load(cmd, "")
		if err != nil {
			return invalid(exitUsage, err)
		}
		if err := t.takeFrom(c, p.environ); err != nil {
			return exitError{exitUsage, err}
		}
	}
	if t.event.Data == "-" {
		data, err := io.ReadAll(io.LimitReader(p.stdin, maxAnswer+1))
		if err != nil {
			return failure(fmt.Errorf("read data: %w", err))
		}
		if len(data) > maxAnswer {
			return exitError{exitUsage, errors.New("the data on standard input is more than 1 MiB")}
		}
		t.event.Data = string(data)
	}
	return nil
}

// takeFrom takes the server and the app of a configuration. Key and secret
// belong together, so they are never taken from different places.
func (t *trigger) takeFrom(c *config.Config, environ []string) (err error) {
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
func (t *trigger) credentials(c *config.Config, environ []string) (apps.ID, auth.Key, error) {
	wanted := t.appID
	if wanted == "" {
		wanted = environmentApp(environ)
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

func environmentApp(environ []string) string {
	for _, entry := range slices.Backward(environ) {
		if id, ok := strings.CutPrefix(entry, "PIPESOCKETD_APP_ID="); ok {
			return id
		}
	}
	return ""
}
