package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// A trigger is one event to publish, and where.
type trigger struct {
	target
	event event
}

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
			if err := p.complete(cmd, &t.target); err != nil {
				return err
			}
			if err := p.readData(&t.event); err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), requestTimeout)
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
	t.addFlags(flags)
	flags.StringArrayVar(&t.event.Channels, "channel", []string{"my-channel"}, "channel to publish to; may be repeated")
	flags.StringVar(&t.event.Name, "event", "my-event", "name of the event")
	flags.StringVar(&t.event.Data, "data", `{"hello":"world"}`, "data of the event, sent as it is; - reads standard input")
	flags.StringVar(&t.event.SocketID, "socket-id", "", "connection that is not to receive the event")
	flags.StringVar(&t.event.Info, "info", "", "attributes to answer with: user_count, subscription_count")
	return command
}

// readData reads the data from standard input if that is asked for.
func (p *program) readData(e *event) error {
	if e.Data != "-" {
		return nil
	}
	data, err := io.ReadAll(io.LimitReader(p.stdin, maxAnswer+1))
	if err != nil {
		return failure(fmt.Errorf("read data: %w", err))
	}
	if len(data) > maxAnswer {
		return exitError{exitUsage, errors.New("the data on standard input is more than 1 MiB")}
	}
	e.Data = string(data)
	return nil
}
