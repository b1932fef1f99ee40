package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// changeTimeout is the time to replay or drop: the server does so in steps, beside
// its other work.
const changeTimeout = 10 * time.Minute

// A webhooksChange is what to do to which webhooks.
type webhooksChange struct {
	opsTarget
	do, done string // replay, replayed
	ids      []string
	filter   webhookFilter
	all      bool
	yes      bool
	json     bool

	confirmed []string // ids, where what was asked about is known one by one
}

func (p *program) webhooksReplayCommand(t *opsTarget) *cobra.Command {
	c := &webhooksChange{do: "replay", done: "replayed"}
	command := p.changeCommand(t, c)
	command.Use = "replay [ID...]"
	command.Short = "Deliver webhooks that were given up once more"
	command.Long = "replay makes dead webhooks wait again, behind what waits already. They are sealed as of then, with a new time_ms and signature.\n" +
		"Those for a receiver that is not configured any more wait until it is."
	return command
}

func (p *program) webhooksDropCommand(t *opsTarget) *cobra.Command {
	c := &webhooksChange{do: "drop", done: "dropped"}
	command := p.changeCommand(t, c)
	command.Use = "drop [ID...]"
	command.Short = "Forget webhooks, waiting ones and dead ones"
	command.Long = "drop deletes webhooks for good. One that is being delivered at this moment may still arrive."
	c.filter.addStateFlag(command.Flags())
	return command
}

func (p *program) changeCommand(t *opsTarget, c *webhooksChange) *cobra.Command {
	command := &cobra.Command{
		RunE: func(cmd *cobra.Command, args []string) error {
			c.ids = slices.Compact(slices.Sorted(slices.Values(args)))
			if err := c.check(cmd, time.Now()); err != nil {
				return exitError{exitUsage, err}
			}
			if err := p.completeOps(cmd, t); err != nil {
				return err
			}
			c.opsTarget = *t
			return codedFailure(p.change(cmd.Context(), c))
		},
	}
	flags := command.Flags()
	c.filter.addFlags(flags)
	flags.BoolVar(&c.all, "all", false, c.do+" all there are, where nothing else selects")
	flags.BoolVarP(&c.yes, "yes", "y", false, "do not ask before more than one is "+c.done)
	flags.BoolVar(&c.json, "json", false, "print the JSON object that the server sent")
	return command
}

func (c *webhooksChange) check(cmd *cobra.Command, now time.Time) error {
	if err := checkWebhookIDs(c.ids); err != nil {
		return err
	}
	if err := c.filter.check(cmd.Flags(), now); err != nil {
		return err
	}
	narrow := c.filter
	narrow.state = ""
	selects := len(c.ids) > 0 || len(narrow.parameters()) > 0
	switch {
	case c.all && selects:
		return errors.New("--all goes with neither ids nor another selection than --state")
	case !c.all && !selects:
		return fmt.Errorf("nothing selects the webhooks to %s: give ids, --endpoint, --app, --from or --to, or --all", c.do)
	}
	return nil
}

// change makes sure that it is meant and does it.
func (p *program) change(ctx context.Context, c *webhooksChange) error {
	meant, err := p.confirm(ctx, c)
	if err != nil {
		return err
	}
	if !meant {
		return fmt.Errorf("nothing was %s: answer y, or give --yes", c.done)
	}
	answer, err := c.ask(ctx, opsCall{method: http.MethodPost, path: "/api/webhooks/" + c.do, body: c.body(), timeout: changeTimeout})
	if err != nil {
		return err
	}
	var counts map[string]int
	if err := json.Unmarshal(answer, &counts); err != nil {
		return fmt.Errorf("%s does not answer with a count: %w", c.shownURL(), err)
	}
	if c.json {
		_, err = p.stdout.Write(answer)
	} else {
		_, err = fmt.Fprintf(p.stdout, "%s %s\n", c.done, countWebhooks(counts[c.done]))
	}
	if missing := len(c.ids) - counts[c.done]; err == nil && missing > 0 {
		return fmt.Errorf("%d of %d were not %s: they are not kept, or not selected by the rest", missing, len(c.ids), c.done)
	}
	return err
}

func countWebhooks(n int) string {
	if n == 1 {
		return "1 webhook"
	}
	return fmt.Sprintf("%d webhooks", n)
}

// body is the selection as the API takes it.
func (c *webhooksChange) body() []byte {
	selection := map[string]any{}
	for name, value := range c.filter.parameters() {
		selection[name] = value
	}
	switch {
	case len(c.ids) > 0:
		selection["ids"] = c.ids
	case len(c.confirmed) > 0:
		selection["ids"] = c.confirmed
	case c.all:
		selection["all"] = true
	}
	body, _ := json.Marshal(selection) // strings only
	return body
}

// confirm asks before more than one webhook is changed. What comes after the
// question is not changed, unless there is too much to name it.
func (p *program) confirm(ctx context.Context, c *webhooksChange) (bool, error) {
	if c.yes || len(c.ids) == 1 {
		return true, nil
	}
	if len(c.ids) > 1 {
		return p.isMeant(fmt.Sprintf("%s %s?", c.do, countWebhooks(len(c.ids))))
	}
	found := c.filter
	if c.do == "replay" {
		found.state = "dead"
	}
	page, err := c.list(ctx, &found, mostWebhooks, "")
	if err != nil {
		return false, err
	}
	number := countWebhooks(len(page.Webhooks))
	if page.Next != "" {
		number = "more than " + number
	} else {
		for _, w := range page.Webhooks {
			c.confirmed = append(c.confirmed, w.ID) // and nothing that comes meanwhile
		}
	}
	if len(page.Webhooks) < 2 {
		return true, nil
	}
	return p.isMeant(fmt.Sprintf("%s %s (%s)?", c.do, number, summary(page.Webhooks)))
}

// summary tells which states and receivers webhooks have.
func summary(webhooks []keptWebhook) string {
	var parts []string
	for _, w := range webhooks {
		if part := w.State + " for " + w.Endpoint; !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	const most = 4
	if len(parts) > most {
		parts = append(parts[:most], "and others")
	}
	return shown(strings.Join(parts, ", "))
}

func (p *program) isMeant(question string) (bool, error) {
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}
