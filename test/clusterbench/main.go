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
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Stdout, os.Stderr, os.Args[1:])
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "clusterbench:", err)
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	results string
	server  string
	loads   []string // names; none for all
	systems []string
	turns   int
	quick   bool
	table   bool
	fan     bool
}

func parse(args []string, output io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("clusterbench", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&o.results, "results", "build/cluster-bench.json", "file that the results are added to")
	flags.StringVar(&o.server, "server", "", "binary of the server; built from this tree by default")
	flags.BoolVar(&o.quick, "quick", false, "less of everything")
	flags.BoolVar(&o.table, "table", false, "make the table of results that are there and measure nothing")
	flags.BoolVar(&o.fan, "fanout", false, "measure what the engines themselves pay for a message instead")
	flags.IntVar(&o.turns, "turns", 3, "how often each system gets each load")
	loads := flags.String("only", "", "loads to measure, comma separated")
	chosen := flags.String("systems", "", "systems to measure, comma separated")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.loads, o.systems = split(*loads), split(*chosen)
	if flags.NArg() > 0 || o.turns < 1 {
		return o, errors.New("the arguments are not understood; see -help")
	}
	for _, name := range o.systems {
		if !slices.ContainsFunc(systems, func(s system) bool { return s.name == name }) {
			return o, fmt.Errorf("there is no system %q", name)
		}
	}
	return o, nil
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// wanted reports whether a name is among those that were asked for.
func wanted(names []string, name string) bool { return len(names) == 0 || slices.Contains(names, name) }

func run(ctx context.Context, output, progress io.Writer, args []string) error {
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	if o.fan {
		return o.fanout(ctx, output, progress)
	}
	var failed error
	if !o.table {
		if failed = o.measure(ctx, progress); errors.Is(failed, context.Canceled) {
			return failed
		}
	}
	r, err := readResults(o.results)
	if err != nil {
		return errors.Join(failed, err)
	}
	_, err = io.WriteString(output, r.markdown())
	return errors.Join(failed, err)
}

// measure gives every system every load, turn after turn.
func (o *options) measure(ctx context.Context, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "clusterbench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	m := &meter{dir: dir, results: o.results, progress: progress, engines: engineSet{dir: dir}}
	defer m.engines.stop()
	if err := o.binaries(ctx, m); err != nil {
		return err
	}
	var failed error
	for turn := range o.turns {
		for i := range systems {
			s := &systems[(turn+i)%len(systems)] // so that none always comes first
			if !wanted(o.systems, s.name) {
				continue
			}
			for _, l := range plan(o.quick) {
				if !wanted(o.loads, l.name) {
					continue
				}
				if err := m.load(ctx, s, &l); err != nil {
					fmt.Fprintf(progress, "%s, %s: %v\n", s.name, l.name, err)
					failed = errors.Join(failed, fmt.Errorf("%s, %s: %w", s.name, l.name, err))
				}
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
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
