package cluster

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pipesocket/pipesocketd/test/engines"
)

// program is the binary under test; set by TestMain, immutable afterwards.
var program string

// TestMain builds the binary with the race detector, if PIPESOCKETD_BINARY does not
// name one, and lets as many worlds exist at the same time as the form says.
func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "cluster:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := flag.Set("test.parallel", strconv.Itoa(form.worlds)); err != nil {
		return 1, err
	}
	if program, err = filepath.Abs(os.Getenv("PIPESOCKETD_BINARY")); os.Getenv("PIPESOCKETD_BINARY") != "" {
		return m.Run(), err
	}
	program = filepath.Join(dir, "pipesocketd")
	build := exec.Command("go", "build", "-race", "-o", program, "../../cmd/pipesocketd")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return m.Run(), nil
}

func TestRedis(t *testing.T) { strikeAll(t, engines.Redis) }

func TestRedisSentinel(t *testing.T) { strike(t, engines.RedisSentinel, "the engine fails over") }

func TestRedisCluster(t *testing.T) { strikeAll(t, engines.RedisReplicas) }

func TestNATS(t *testing.T) { strikeAll(t, engines.NATSCluster) }

func TestEmbedded(t *testing.T) { strikeAll(t, engines.Embedded) }

// strikeAll has every fault that the engine can have strike one world in turns, until one
// leaves it broken: what comes after that says nothing.
func strikeAll(t *testing.T, kind engines.Kind) {
	t.Helper()
	strike(t, kind, "")
}

func strike(t *testing.T, kind engines.Kind, only string) {
	t.Helper()
	t.Parallel()
	w := newWorld(t, kind)
	for _, f := range faults() {
		if only != "" && f.name != only || f.of != nil && !f.of(kind) {
			continue
		}
		whole := t.Run(f.name, func(t *testing.T) {
			w.t = t
			f.strike(w)
			w.settle(f.name)
		})
		w.t = t
		if !whole {
			w.report(t)
			return
		}
	}
}
