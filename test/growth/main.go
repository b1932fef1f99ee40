package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stderr, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "growth:", err)
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	results, plots string
	server         string
	names          []string
	runs           int
	quick, draw    bool
}

func parse(args []string, output io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("growth", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&o.results, "results", "test/growth/results.json", "file of the results")
	flags.StringVar(&o.plots, "plots", "docs/plots", "folder of the plots")
	flags.StringVar(&o.server, "server", "", "binary of the server; built from this tree by default")
	flags.BoolVar(&o.quick, "quick", false, "less of everything")
	flags.BoolVar(&o.draw, "draw", false, "draw the results that are there and measure nothing")
	flags.IntVar(&o.runs, "runs", 0, "runs of each load, of which medians are kept; 0 for 3, or 1 with -quick")
	names := flags.String("only", "", "series to measure, comma separated; the others keep their results")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if *names != "" {
		o.names = strings.Split(*names, ",")
	}
	if flags.NArg() > 0 || o.runs < 0 {
		return o, errors.New("the arguments are not understood; see -help")
	}
	return o, nil
}

func run(ctx context.Context, progress io.Writer, args []string) error {
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	var measureErr error
	if !o.draw {
		measureErr = o.measure(ctx, progress)
	}
	r, err := readResults(o.results)
	if err != nil {
		return errors.Join(measureErr, err)
	}
	paths, err := draw(r, o.plots)
	for _, path := range paths {
		fmt.Fprintln(progress, "drawn:", path)
	}
	return errors.Join(measureErr, err)
}

// effort is what the options come to.
func (o *options) effort() effort {
	e := fullEffort()
	if o.quick {
		e = quickEffort()
	}
	if o.runs > 0 {
		e.runs = o.runs
	}
	return e
}

// measure measures what is wanted and writes the results after each series.
func (o *options) measure(ctx context.Context, progress io.Writer) error {
	allowed, err := machineLimits()
	if err != nil {
		return err
	}
	e := o.effort()
	all, err := only(plan(allowed, e), o.names)
	if err != nil {
		return err
	}
	r, err := readResults(o.results)
	switch {
	case errors.Is(err, os.ErrNotExist):
		r = &results{Format: resultsFormat}
	case err != nil:
		return err
	}
	dir, err := os.MkdirTemp("", "growth")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	m := meter{dir: dir, runs: e.runs, progress: progress}
	if err := o.binaries(ctx, &m); err != nil {
		return err
	}
	if r.Server, err = version(ctx, m.server); err != nil {
		return err
	}
	for i := range all {
		for _, p := range all[i].points {
			m.all += len(p.loads)
		}
	}
	var failed error
	for i := range all {
		s, host, err := m.measure(ctx, &all[i])
		if err != nil && !errors.Is(err, errLoads) {
			return err
		}
		failed = errors.Join(failed, err)
		if host.Cores > 0 {
			r.Host = host
		}
		s.Quick = o.quick
		r.put(s)
		if err := r.write(o.results); err != nil {
			return err
		}
	}
	return failed
}

// binaries builds the load tool, which is the server too unless one is given.
func (o *options) binaries(ctx context.Context, m *meter) (err error) {
	m.tool = filepath.Join(m.dir, "pipesocketd")
	fmt.Fprintln(m.progress, "building pipesocketd")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", m.tool, "github.com/pipesocket/pipesocketd/cmd/pipesocketd")
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build pipesocketd: %w\n%s", err, output)
	}
	m.server = m.tool
	if o.server != "" {
		m.server, err = filepath.Abs(o.server)
	}
	return err
}

// version is the line that the server prints.
func version(ctx context.Context, binary string) (string, error) {
	text, err := exec.CommandContext(ctx, binary, "version").Output()
	if err != nil {
		return "", fmt.Errorf("ask for the server's version: %w", err)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	return line, nil
}
