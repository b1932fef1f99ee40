package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pipesocket/pipesocketd/internal/config"
)

func (p *program) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "pipesocketd",
		Short: "A self-hosted server for the Pusher Channels protocol",
		Long: "pipesocketd is a self-hosted WebSocket server for the Pusher Channels protocol.\n" +
			"Without a subcommand it serves. Keys without a flag are set in the file or by PIPESOCKETD_ variables.",
		Version:       buildVersion(),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          p.runServe,
	}
	config.AddFlags(root.Flags())
	root.AddCommand(p.serveCommand(), p.configCommand(), p.triggerCommand(), p.historyCommand(), p.webhooksCommand(), p.clusterCommand(), p.healthcheckCommand(), p.benchCommand(), p.versionCommand())
	return root
}

func (p *program) serveCommand() *cobra.Command {
	serve := &cobra.Command{
		Use:   "serve",
		Short: "Serve until SIGINT or SIGTERM; the default",
		Args:  cobra.NoArgs,
		RunE:  p.runServe,
	}
	config.AddFlags(serve.Flags())
	return serve
}

// load reads the configuration for a command.
func (p *program) load(cmd *cobra.Command, file string) (*config.Config, config.Origins, error) {
	return config.LoadWithOrigins(config.LoadOptions{File: file, Flags: cmd.Flags(), Environ: p.environ})
}

// invalid makes the faults of a configuration a list under a headline.
func invalid(code int, err error) error {
	return exitError{code, fmt.Errorf("the configuration is not valid:%w", indented{err})}
}

// indented writes each line of an error on a line of its own.
type indented struct{ error }

func (i indented) Error() string {
	return "\n  " + strings.ReplaceAll(i.error.Error(), "\n", "\n  ")
}

func (i indented) Unwrap() error { return i.error }
