package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipesocket/pipesocketd/internal/config"
)

// An opsTarget is the operations API that a command asks.
type opsTarget struct{ url, token string }

const tokenVariable = "PIPESOCKETD_OPS_TOKEN" //nolint:gosec // the name of one, not the value

func (t *opsTarget) addFlags(flags *pflag.FlagSet) {
	config.AddFileFlag(flags)
	flags.StringVar(&t.url, "ops", "", "URL of the operations listener, such as http://127.0.0.1:9601, if not that of the configuration")
	flags.StringVar(&t.token, "token", "", "operations token; better give it in "+tokenVariable+", since other users of the machine can see it here")
}

// completeOps fills in what no flag told. Where --ops tells the server, no
// configuration is read unless --config names it: what is found by chance is
// that of another server.
func (p *program) completeOps(cmd *cobra.Command, t *opsTarget) error {
	if t.token == "" {
		t.token = variable(p.environ, tokenVariable)
	}
	if t.url != "" && !cmd.Flags().Changed("config") {
		return nil
	}
	c, _, err := p.load(cmd, "")
	if err != nil {
		return invalid(exitUsage, err)
	}
	if t.url == "" {
		if t.url, err = opsURL(c, "--ops"); err != nil {
			return exitError{exitUsage, err}
		}
	}
	if t.token == "" {
		t.token = string(c.Ops.Token)
	}
	return nil
}

// An opsCall is one request to the operations API.
type opsCall struct {
	method, path string
	query        url.Values
	body         []byte
	timeout      time.Duration
}

// maxOpsAnswer bounds what is read of an answer: a webhook has up to 16 MiB, unless
// a single event is longer, and as JSON a multiple of that.
const maxOpsAnswer = 128 << 20

// ask returns the body of the answer.
func (t *opsTarget) ask(ctx context.Context, c opsCall) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := t.request(ctx, c)
	if err != nil {
		return nil, exitError{exitUsage, err}
	}
	status, body, err := exchange(request, maxOpsAnswer)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("nothing listens at %s: is the server running, and is that the address of its operations listener?", t.shownURL())
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("no answer from %s within %s", t.shownURL(), c.timeout)
	case err != nil:
		// The error of the client repeats the URL, which can hold that of a receiver.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("ask %s: %w", t.shownURL(), err)
	case status != http.StatusOK:
		return nil, t.refusal(status, body)
	}
	return []byte(body), nil
}

func (t *opsTarget) request(ctx context.Context, c opsCall) (*http.Request, error) {
	base, err := url.Parse(t.url)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("--ops must be an http or https URL with a host")
	}
	target := base.JoinPath(c.path)
	target.RawQuery = c.query.Encode()
	request, err := http.NewRequestWithContext(ctx, c.method, target.String(), bytes.NewReader(c.body))
	if err != nil {
		return nil, errors.New("--ops is not the URL of a server")
	}
	if t.token != "" {
		request.Header.Set("Authorization", "Bearer "+t.token)
	}
	if len(c.body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// refusal makes an error of an answer that is no success.
func (t *opsTarget) refusal(status int, body string) error {
	text := shown(strings.TrimSpace(body[:min(len(body), maxAnswer)]))
	switch {
	case status == http.StatusUnauthorized && t.token == "":
		return fmt.Errorf("%s wants the operations token: set %s or give --token", t.shownURL(), tokenVariable)
	case status == http.StatusUnauthorized:
		return fmt.Errorf("%s refuses the operations token, which is not its ops.token", t.shownURL())
	case status == http.StatusNotImplemented && text != "":
		return errors.New(text)
	}
	return errors.New(answerText(status, text))
}

func (t *opsTarget) shownURL() string { return withoutPassword(t.url) }
