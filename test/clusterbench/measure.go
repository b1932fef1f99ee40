package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/bench"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// meter measures loads.
type meter struct {
	server   string // binary
	tool     string // binary
	dir      string // for files that are not kept
	results  string
	engines  engineSet
	progress io.Writer
}

// loadTimeout is far more than any load takes.
const loadTimeout = 10 * time.Minute

// load gives a load to a system, which is started for it, and keeps the result.
func (m *meter) load(ctx context.Context, s *system, l *load) error {
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	began := time.Now()
	r, err := s.start(m.server, m.dir, &m.engines)
	if err != nil {
		return err
	}
	file := filepath.Join(r.dir, "report.json")
	if err := m.runTool(ctx, l, r, file); err != nil {
		return errors.Join(err, r.stop())
	}
	report, err := bench.ReadReport(file)
	if err := errors.Join(err, r.stop()); err != nil {
		return err
	}
	all, err := readResults(m.results)
	if errors.Is(err, os.ErrNotExist) {
		all, err = &results{}, nil
	}
	if err != nil {
		return err
	}
	one := resultOf(s, l, &report.Runs[0])
	all.Host = report.Host.String()
	all.Runs = append(all.Runs, one)
	fmt.Fprintf(m.progress, "%s, %s: %s (%.1f s)\n", s.name, l.name, one.summary(), time.Since(began).Seconds())
	return all.write(m.results)
}

// runTool runs the load tool on all nodes. The engine's processes come behind those
// of the nodes.
func (m *meter) runTool(ctx context.Context, l *load, r *running, file string) error {
	args := append([]string{"bench"}, l.args...)
	args = append(args, "--app-id", appID, "--json", file)
	for _, node := range r.nodes {
		args = append(args, "--url", node.Public, "--pid", strconv.Itoa(node.PID()))
	}
	for _, pid := range r.engine {
		args = append(args, "--pid", strconv.Itoa(pid))
	}
	command := exec.CommandContext(ctx, m.tool, args...)
	command.Env = append(testkit.WithoutSettings(os.Environ()), "PIPESOCKETD_APP_ID="+appID, "PIPESOCKETD_APP_KEY="+appKey, "PIPESOCKETD_APP_SECRET="+appSecret)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return nil
}
