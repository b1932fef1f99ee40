package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("say step, summary or total")
	}
	switch args[0] {
	case "step":
		return runStep(ctx, args[1:])
	case "summary":
		return runSummary(args[1:], printTable)
	case "total":
		return runSummary(args[1:], printTotal)
	}
	return fmt.Errorf("unknown command %q", args[0])
}

func runStep(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("step", flag.ContinueOnError)
	s := step{out: os.Stdout, strictSkips: os.Getenv("CI") == "true"}
	dir := flags.String("dir", "build/test-results", "where results are written")
	flags.StringVar(&s.name, "name", "", "name of the step")
	flags.StringVar(&s.kind, "kind", kindCheck, "how the command reports: check, go or node")
	flags.DurationVar(&s.timeout, "timeout", 15*time.Minute, "end the command after this time")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if s.name == "" || flags.NArg() == 0 {
		return errors.New("a step needs -name and a command")
	}
	s.dir, s.command = *dir, flags.Args()
	result, err := s.run(ctx)
	if err != nil {
		return err
	}
	if err := result.save(*dir); err != nil {
		return err
	}
	if result.Failed > 0 {
		return fmt.Errorf("step %s: %d failed", s.name, result.Failed)
	}
	return nil
}

func runSummary(args []string, show func([]result) error) error {
	flags := flag.NewFlagSet("summary", flag.ContinueOnError)
	dir := flags.String("dir", "build/test-results", "where results are read")
	expect := flags.String("expect", "", "steps that must have a result, comma separated")
	if err := flags.Parse(args); err != nil {
		return err
	}
	results, err := loadResults(*dir, strings.Split(*expect, ","))
	if err != nil {
		return err
	}
	if err := show(results); err != nil {
		return err
	}
	if sum := sumOf(results); sum.Failed > 0 || sum.Passed == 0 {
		return errors.New("not everything passed")
	}
	return nil
}
