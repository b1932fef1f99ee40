package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/bench"
	"github.com/pipesocket/pipesocketd/internal/config"
)

// writerCommand is the hidden command that is the other side of `bench limit`.
const writerCommand = "limit-writer"

func (p *program) benchCommand() *cobra.Command {
	var compare bool
	parent := &cobra.Command{
		Use:   "bench",
		Short: "Put load on a server of the Pusher protocol and measure what it costs",
		Long: "bench measures a running server: pipesocketd or any other that speaks the Pusher Channels protocol.\n" +
			"Each scenario prints a report as Markdown. Give --pid to measure the server's CPU time and memory too.\n\n" +
			"The app is that of PIPESOCKETD_APP_ID, PIPESOCKETD_APP_KEY and PIPESOCKETD_APP_SECRET, else the development app.",
		Example: "  pipesocketd bench fanout --pid $(pidof pipesocketd) --floor --runs 3\n" +
			"  pipesocketd bench fanout --rate 50 --json before.json\n" +
			"  pipesocketd bench compare before.json after.json",
		Args: func(cmd *cobra.Command, args []string) error {
			if compare {
				return cobra.ExactArgs(2)(cmd, args)
			}
			return cobra.NoArgs(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if compare {
				return p.compareReports(args[0], args[1])
			}
			return cmd.Help()
		},
	}
	parent.Flags().BoolVar(&compare, "compare", false, "compare the two reports that follow, as the command of this name does")
	for _, scenario := range bench.Scenarios() {
		parent.AddCommand(p.scenarioCommand(scenario))
	}
	parent.AddCommand(p.compareCommand(), p.limitWriterCommand())
	return parent
}

func (p *program) scenarioCommand(scenario bench.Scenario) *cobra.Command {
	o := scenario.Defaults
	o.Scenario = scenario.Name
	var secret, file string
	command := &cobra.Command{
		Use:   scenario.Name,
		Short: scenario.Summary,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Key.Secret = auth.Secret(secret)
			if err := p.benchEnvironment(cmd.Flags(), &o); err != nil {
				return exitError{exitUsage, err}
			}
			return p.runScenario(cmd, o, file)
		},
	}
	flags := command.Flags()
	if !scenario.Alone() {
		serverFlags(flags, &o, &secret)
	}
	flags.IntVar(&o.Runs, "runs", o.Runs, "repetitions; the report tells medians")
	flags.DurationVar(&o.Warmup, "warmup", o.Warmup, "time before the measurement")
	flags.DurationVar(&o.Duration, "duration", o.Duration, "time of the measurement")
	flags.DurationVar(&o.Timeout, "timeout", o.Timeout, "of a connect, a request, and the wait for the last deliveries")
	flags.StringVar(&file, "json", "", "file to add the results to, as JSON")
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	loadFlags(all, &o)
	for _, name := range scenario.Flags {
		flags.AddFlag(all.Lookup(name))
	}
	flags.SortFlags = false
	return command
}

// serverFlags adds those that say whom to load.
func serverFlags(flags *pflag.FlagSet, o *bench.Options, secret *string) {
	flags.StringArrayVar(&o.URLs, "url", []string{"http://127.0.0.1:6001"}, "URL of the server, mount included; given several times, connections and requests go to these servers in turns")
	flags.StringVar(&o.AppID, "app-id", string(config.DevelopmentAppID), "id of the app")
	flags.StringVar(&o.Key.Key, "key", config.DevelopmentKey, "key of the app")
	flags.StringVar(secret, "secret", string(config.DevelopmentSecret), "secret of the app; other users of the machine can see it here, not in PIPESOCKETD_APP_SECRET")
	flags.BoolVar(&o.AllowRemote, "allow-remote", false, "the server may be on another machine: only for servers that are yours")
	flags.IntSliceVar(&o.PIDs, "pid", nil, "process of the server, to measure its CPU time and memory; given several times, all of them together and each by itself")
}

// loadFlags adds the flags of which each scenario heeds some.
func loadFlags(flags *pflag.FlagSet, o *bench.Options) {
	flags.IntVar(&o.Connections, "connections", o.Connections, "connections; 0, where it is the default, means one for each subscription")
	flags.IntVar(&o.Channels, "channels", o.Channels, "channels in all")
	flags.IntVar(&o.Subscribers, "subscribers", o.Subscribers, "subscribers of each channel")
	flags.IntVar(&o.Size, "size", o.Size, "bytes of an event's data")
	flags.IntVar(&o.Batch, "batch", o.Batch, "events in one request")
	flags.IntVar(&o.Slow, "slow", o.Slow, "subscribers that do not read, besides --connections")
	flags.IntVar(&o.Churners, "churners", o.Churners, "users that join and leave, besides --connections")
	flags.BoolVar(&o.Known, "known", o.Known, "who joins is a member already, by a connection to another server if there are several: nobody is told")
	flags.Float64Var(&o.Rate, "rate", o.Rate, "requests, events or connects per second at fixed times; 0 makes the next when one has arrived everywhere")
	flags.IntVar(&o.InFlight, "in-flight", o.InFlight, "requests or events in flight: not arrived everywhere at --rate 0, else not answered")
	flags.IntVar(&o.Connecting, "connecting", o.Connecting, "connects at the same time")
	flags.IntVar(&o.FramesPerWrite, "frames-per-write", o.FramesPerWrite, "frames in one write")
	flags.StringVar(&o.Metrics, "metrics", "", "URL of the server's metrics, such as http://127.0.0.1:9601/metrics, to tell the parts of its memory")
	flags.DurationVar(&o.Settle, "settle", o.Settle, "time for which the server's memory must be steady before it is read, at most a minute later than that; 0 does not wait")
	flags.BoolVar(&o.Floor, "floor", o.Floor, "also measure bare writes of the same frames to as many sockets")
}

// benchEnvironment takes from the environment what no flag tells. Key and secret
// belong together, so they are never taken from different places.
func (p *program) benchEnvironment(flags *pflag.FlagSet, o *bench.Options) error {
	if flags.Changed("key") != flags.Changed("secret") {
		return errors.New("--key and --secret are given together")
	}
	values := map[string]string{}
	for _, entry := range p.environ {
		name, value, _ := strings.Cut(entry, "=")
		values[name] = value
	}
	if id := values["PIPESOCKETD_APP_ID"]; id != "" && !flags.Changed("app-id") {
		o.AppID = id
	}
	key, secret := values["PIPESOCKETD_APP_KEY"], values["PIPESOCKETD_APP_SECRET"]
	if key != "" && secret != "" && !flags.Changed("key") {
		o.Key = auth.Key{Key: key, Secret: auth.Secret(secret)}
	}
	return nil
}

func (p *program) runScenario(cmd *cobra.Command, o bench.Options, file string) error {
	if file != "" { // better now than after the measurement
		if _, err := bench.ReadReport(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return exitError{exitUsage, err}
		}
	}
	self, err := os.Executable()
	if err != nil {
		return failure(fmt.Errorf("find this program: %w", err))
	}
	o.Writer = []string{self, "bench", writerCommand}
	o.Progress = p.stderr
	results, err := bench.Run(cmd.Context(), o)
	report := bench.NewReport(buildVersion(), results)
	if len(results) > 0 {
		if file != "" {
			err = errors.Join(err, report.Append(file))
		}
		err = errors.Join(err, report.WriteMarkdown(p.stdout))
	}
	return wrapFailure(err)
}

func (p *program) compareCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "compare FIRST.json SECOND.json",
		Short: "Compare the medians of two reports",
		Args:  cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.compareReports(args[0], args[1])
		},
	}
}

func (p *program) compareReports(first, second string) error {
	a, err := bench.ReadReport(first)
	if err != nil {
		return failure(err)
	}
	b, err := bench.ReadReport(second)
	if err != nil {
		return failure(err)
	}
	return wrapFailure(bench.Compare(p.stdout, a, b))
}

func (p *program) limitWriterCommand() *cobra.Command {
	o := bench.Options{}
	command := &cobra.Command{
		Use:    writerCommand,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return wrapFailure(bench.ServeLimit(cmd.Context(), o, p.stdin, p.stdout))
		},
	}
	all := pflag.NewFlagSet("", pflag.ContinueOnError)
	loadFlags(all, &o)
	all.VisitAll(func(f *pflag.Flag) {
		if slices.Contains([]string{"connections", "size", "rate", "frames-per-write"}, f.Name) {
			command.Flags().AddFlag(f)
		}
	})
	return command
}
