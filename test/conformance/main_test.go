package conformance

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// program is the binary under test; set by TestMain, immutable afterwards.
var program string

// TestMain builds the binary, runs the tests and then examines the shared
// server: it must have come back to its baseline and must stop cleanly.
func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "conformance:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if program, err = buildBinary(dir); err != nil {
		return 1, err
	}
	if err := moreParallel(); err != nil {
		return 1, err
	}
	usual, err = chooseTopology(dir)
	defer func() { err = errors.Join(err, usual.stop()) }()
	if err != nil {
		return 1, err
	}
	sharedServer.topology = usual
	code = m.Run()
	return code, sharedServer.finish()
}

// moreParallel lets more tests run at once than there are processors: they
// mostly wait for sockets and for timeouts of the server.
func moreParallel() error {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if given {
		return nil
	}
	return flag.Set("test.parallel", "12")
}

func buildBinary(dir string) (string, error) {
	if path := os.Getenv("PIPESOCKETD_BINARY"); path != "" {
		return filepath.Abs(path)
	}
	path := filepath.Join(dir, "pipesocketd")
	cmd := exec.Command("go", "build", "-race", "-o", path, "./cmd/pipesocketd")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the binary: %w\n%s", err, out)
	}
	return path, nil
}

// lazyServer is a server that starts when the first test asks for it.
type lazyServer struct {
	topology topology // set by run before the tests

	once     sync.Once
	dirs     []string // set under once
	srv      *server  // set under once
	err      error    // set under once
	baseline []usage  // set under once
}

var sharedServer lazyServer

// shared returns the server that most tests use. It runs until the end of the
// test binary, with the apps of apps_test.go.
func shared(t testing.TB) *server {
	t.Helper()
	s := &sharedServer
	s.once.Do(func() {
		if s.srv, s.err = launch(s.topology, s.dir, sharedConfig()); s.err == nil {
			s.baseline, s.err = s.srv.usage()
		}
	})
	if s.err != nil {
		t.Fatalf("start the shared server: %v", s.err)
	}
	return s.srv
}

// dir makes a directory that outlives the test that asked first.
func (s *lazyServer) dir() string {
	dir, err := os.MkdirTemp("", "conformance")
	s.err = errors.Join(s.err, err)
	s.dirs = append(s.dirs, dir)
	return dir
}

func (s *lazyServer) finish() (err error) {
	defer func() {
		for _, dir := range s.dirs {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if s.srv == nil {
		return nil
	}
	err = s.srv.returnsTo(s.baseline)
	return errors.Join(err, s.srv.stop())
}

// statement is one line of docs/protocol.md §12 and its proof.
type statement struct {
	name  string
	prove func(t *testing.T)
}

// prove runs the statements in parallel.
func prove(t *testing.T, all []statement) {
	t.Helper()
	for _, s := range all {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.prove(t)
		})
	}
}
