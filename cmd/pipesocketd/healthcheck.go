package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pipesocket/pipesocketd/internal/config"
)

func (p *program) healthcheckCommand() *cobra.Command {
	var base string
	var timeout time.Duration
	check := &cobra.Command{
		Use:   "healthcheck",
		Short: "Ask a running server whether it is ready; the exit code is 0 if so and else 1",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if base == "" {
				c, _, err := p.load(cmd, "")
				if err != nil {
					return invalid(exitFailure, err)
				}
				if base, err = opsURL(c, "--url"); err != nil {
					return failure(err)
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			return wrapFailure(p.askReady(ctx, base))
		},
	}
	flags := check.Flags()
	config.AddFileFlag(flags)
	flags.String("ops-listen", "", "address of the operations listener, if not that of the configuration")
	flags.StringVar(&base, "url", "", "URL of the operations listener, such as http://127.0.0.1:9601; no configuration is read then")
	flags.DurationVar(&timeout, "timeout", 5*time.Second, "time to wait for the answer")
	return check
}

// askReady passes on what the server says about itself.
func (p *program) askReady(ctx context.Context, base string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(base, "/")+"/ready", nil)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	status, body, err := exchange(request, maxAnswer)
	if err != nil {
		return fmt.Errorf("ask for readiness: %w", err)
	}
	if status != http.StatusOK {
		return fmt.Errorf("not ready: %s", answerText(status, body))
	}
	_, err = fmt.Fprintln(p.stdout, strings.TrimSpace(body))
	return err
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// exchange sends a request whose context has a deadline and returns status and
// body of the answer. Redirects are answers too: what was signed for one
// server is not for another.
func exchange(request *http.Request, most int64) (status int, body string, err error) {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(response.Body, most))
	if err != nil {
		return 0, "", fmt.Errorf("read answer: %w", err)
	}
	return response.StatusCode, string(text), nil
}

func answerText(status int, body string) string {
	text := fmt.Sprintf("the server answered %d %s", status, http.StatusText(status))
	if body = strings.TrimSpace(body); body != "" {
		text += ": " + body
	}
	return text
}
