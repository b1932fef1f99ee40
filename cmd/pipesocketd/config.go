package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/pipesocket/pipesocketd/internal/config"
)

func (p *program) configCommand() *cobra.Command {
	parent := &cobra.Command{
		Use:   "config",
		Short: "Check, print or explain the configuration",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return cmd.Help()
		},
	}
	check := &cobra.Command{
		Use:   "check [FILE]",
		Short: "Tell all faults of the configuration, or that it has none",
		Args:  cobra.MaximumNArgs(1),
		RunE:  p.runConfigCheck,
	}
	print := &cobra.Command{
		Use:   "print [FILE]",
		Short: "Print the configuration in force as YAML, without secrets, and where each value comes from",
		Args:  cobra.MaximumNArgs(1),
		RunE:  p.runConfigPrint,
	}
	defaults := &cobra.Command{
		Use:   "defaults",
		Short: "Print every key as YAML with its meaning and its default",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return wrapFailure(config.PrintDefaults(p.stdout))
		},
	}
	config.AddFlags(check.Flags())
	config.AddFlags(print.Flags())
	parent.AddCommand(check, print, defaults)
	return parent
}

func (p *program) runConfigCheck(cmd *cobra.Command, args []string) error {
	c, _, err := p.load(cmd, first(args))
	if err != nil {
		return invalid(exitUsage, err)
	}
	for _, warning := range c.Warnings() {
		fmt.Fprintf(p.stderr, "warning: %s\n", warning)
	}
	served := fmt.Sprintf("%d apps", len(c.Apps))
	switch len(c.Apps) {
	case 0:
		served = "no app, so that one is made at the start"
	case 1:
		served = "1 app"
	}
	_, err = fmt.Fprintf(p.stdout, "the configuration is valid: %s\n", served)
	return wrapFailure(err)
}

func (p *program) runConfigPrint(cmd *cobra.Command, args []string) error {
	c, origins, err := p.load(cmd, first(args))
	if err != nil {
		return invalid(exitUsage, err)
	}
	return wrapFailure(config.Print(p.stdout, c, origins))
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// wrapFailure is failure for errors that may be nil.
func wrapFailure(err error) error {
	if err == nil {
		return nil
	}
	return failure(err)
}
