package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// webhooksTimeout is the time for one answer.
const webhooksTimeout = 30 * time.Second

func (p *program) webhooksCommand() *cobra.Command {
	var t opsTarget
	parent := &cobra.Command{
		Use:   "webhooks",
		Short: "Look at webhooks that wait or were given up, replay and drop them",
		Long: "webhooks asks the operations API of a running server that has a data_dir.\n\n" +
			"The address is that of the configuration (--config, PIPESOCKETD_CONFIG, PIPESOCKETD_OPS_LISTEN) or of --ops, and the token\n" +
			"that of " + tokenVariable + ", else that of the configuration. Receivers are told apart by their URL without\n" +
			"credentials and query. Times are RFC 3339 times, dates, Unix milliseconds, or durations such as 2h for so long ago.\n\n" +
			"The exit code is 0 if all was done, 1 if not, and 2 if the command line or the configuration is wrong.",
		Example: "  pipesocketd webhooks list --state dead\n" +
			"  pipesocketd webhooks show 1763906130123456\n" +
			"  pipesocketd webhooks replay --endpoint https://example.com/hook --from 2h\n" +
			"  pipesocketd webhooks drop --all --state dead --yes",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.addFlags(parent.PersistentFlags())
	parent.AddCommand(p.webhooksListCommand(&t), p.webhooksShowCommand(&t), p.webhooksReplayCommand(&t), p.webhooksDropCommand(&t))
	return parent
}

// webhookFilter selects webhooks; what is "" selects all.
type webhookFilter struct{ app, endpoint, state, from, to string }

func (f *webhookFilter) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.app, "app", "", "only those of the app with this id")
	flags.StringVar(&f.endpoint, "endpoint", "", "only those for this receiver: its URL, credentials and query left out or not")
	flags.StringVar(&f.from, "from", "", "only those made at this time or later")
	flags.StringVar(&f.to, "to", "", "only those made before this time")
}

func (f *webhookFilter) addStateFlag(flags *pflag.FlagSet) {
	flags.StringVar(&f.state, "state", "", "only those that are waiting, or only those that are dead: given up")
}

// check makes Unix milliseconds of the times. A flag that was given and is empty is
// a mistake rather than a wish for everything.
func (f *webhookFilter) check(flags *pflag.FlagSet, now time.Time) error {
	for _, name := range []string{"app", "endpoint", "state", "from", "to"} {
		if flag := flags.Lookup(name); flag != nil && flag.Changed && flag.Value.String() == "" {
			return fmt.Errorf("--%s must not be empty", name)
		}
	}
	if f.state != "" && f.state != "waiting" && f.state != "dead" {
		return errors.New("--state must be waiting or dead")
	}
	return readMoments(&f.from, &f.to, now)
}

// parameters are the names and values that the API knows.
func (f *webhookFilter) parameters() map[string]string {
	all := map[string]string{"app": f.app, "endpoint": f.endpoint, "state": f.state, "from": f.from, "to": f.to}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}

// webhooksPage is the answer to a request for a list.
type webhooksPage struct {
	Webhooks []keptWebhook `json:"webhooks"`
	Next     string        `json:"next"`
}

// mostWebhooks is the longest page that the server gives.
const mostWebhooks = 500

// list asks for one page.
func (t *opsTarget) list(ctx context.Context, f *webhookFilter, limit int, cursor string) (page webhooksPage, err error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	for name, value := range f.parameters() {
		query.Set(name, value)
	}
	answer, err := t.ask(ctx, opsCall{method: http.MethodGet, path: "/api/webhooks", query: query, timeout: webhooksTimeout})
	if err != nil {
		return page, err
	}
	if err := json.Unmarshal(answer, &page); err != nil {
		return page, fmt.Errorf("%s does not answer with a list of webhooks: %w", t.shownURL(), err)
	}
	return page, nil
}

func (p *program) webhooksListCommand(t *opsTarget) *cobra.Command {
	var f webhookFilter
	var limit int
	var asJSON bool
	command := &cobra.Command{
		Use:   "list",
		Short: "List webhooks that wait or were given up, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return exitError{exitUsage, errors.New("--limit must not be negative")}
			}
			if err := f.check(cmd.Flags(), time.Now()); err != nil {
				return exitError{exitUsage, err}
			}
			if err := p.completeOps(cmd, t); err != nil {
				return err
			}
			return codedFailure(p.printWebhooks(cmd.Context(), t, &f, limit, asJSON))
		},
	}
	flags := command.Flags()
	f.addFlags(flags)
	f.addStateFlag(flags)
	flags.IntVar(&limit, "limit", 100, "how many to list; 0 for all of them")
	flags.BoolVar(&asJSON, "json", false, "print each as the JSON object that the server sent")
	return command
}

// codedFailure is wrapFailure for errors that may have an exit code already.
func codedFailure(err error) error {
	if _, ok := errors.AsType[exitError](err); ok {
		return err
	}
	return wrapFailure(err)
}

func (p *program) printWebhooks(ctx context.Context, t *opsTarget, f *webhookFilter, limit int, asJSON bool) error {
	out := newWebhooksTable(p.stdout, asJSON)
	for left, cursor := limit, ""; ; {
		size := mostWebhooks
		if limit > 0 {
			size = min(left, size)
		}
		page, err := t.list(ctx, f, size, cursor)
		if err != nil {
			return err
		}
		if err := out.print(page.Webhooks); err != nil {
			return err
		}
		left -= len(page.Webhooks)
		if cursor = page.Next; cursor == "" {
			return nil
		}
		if limit > 0 && left <= 0 {
			fmt.Fprintln(p.stderr, "There are more: --limit 0 lists all.")
			return nil
		}
	}
}

func (p *program) webhooksShowCommand(t *opsTarget) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "show ID",
		Short: "Show one webhook, its body and the attempts to deliver it",
		Long: "show prints all that is known of one webhook: its body, and how each attempt ended with the first bytes of the answer.\n" +
			"Of one that was delivered the attempts are kept for a while (webhooks.keep_attempts).",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkWebhookIDs(args); err != nil {
				return exitError{exitUsage, err}
			}
			if err := p.completeOps(cmd, t); err != nil {
				return err
			}
			answer, err := t.ask(cmd.Context(), opsCall{method: http.MethodGet, path: "/api/webhooks/" + args[0], timeout: webhooksTimeout})
			if err != nil {
				return codedFailure(err)
			}
			if asJSON {
				_, err = p.stdout.Write(answer)
				return wrapFailure(err)
			}
			return wrapFailure(printWebhook(p.stdout, answer))
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the JSON object that the server sent")
	return command
}

func checkWebhookIDs(ids []string) error {
	for _, id := range ids {
		if n, err := strconv.ParseInt(id, 10, 64); err != nil || n <= 0 {
			return fmt.Errorf("%q is not the id of a webhook, which is a positive number", id)
		}
	}
	return nil
}
