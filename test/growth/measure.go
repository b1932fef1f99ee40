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
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/bench"
)

// meter measures loads.
type meter struct {
	server   string // binary
	tool     string // binary
	dir      string // for files that are not kept
	runs     int
	progress io.Writer

	done, all int // loads
}

// loadTimeout is far more than any load takes.
const loadTimeout = 5 * time.Minute

// errLoads is returned at the end if some load failed; the results tell which.
var errLoads = errors.New("some loads failed")

// measure measures a series. A load that fails is noted in its line and does not
// stop the others.
func (m *meter) measure(ctx context.Context, s *series) (r *seriesResult, host bench.Host, err error) {
	r = &seriesResult{Name: s.name, Started: time.Now().UTC().Truncate(time.Second)}
	for _, p := range s.points {
		result := pointResult{X: p.x, Note: p.note}
		if p.note != "" {
			fmt.Fprintf(m.progress, "%s: %s\n", s.name, p.note)
		}
		for _, l := range p.loads {
			began := time.Now()
			line, h, loadErr := m.load(ctx, &l)
			if ctx.Err() != nil {
				return r, host, context.Cause(ctx)
			}
			if loadErr != nil {
				line.Failure, err = loadErr.Error(), errLoads
			} else {
				host = h
			}
			m.done++
			fmt.Fprintf(m.progress, "[%d/%d] %s %s, %s: %s (%.1f s)\n", m.done, m.all, s.name, grouped(p.x), l.name, line.summary(), time.Since(began).Seconds())
			result.Lines = append(result.Lines, line)
		}
		r.Points = append(r.Points, result)
	}
	return r, host, err
}

// summary is what progress tells of a line.
func (l *lineResult) summary() string {
	if l.Failure != "" {
		return "FAILED: " + l.Failure
	}
	var parts []string
	for _, figure := range []struct{ name, text string }{
		{figureCost, "%s s CPU per million deliveries"},
		{figureRate, "%s deliveries/s"},
		{figureChannel, "%s KiB per channel"},
		{figureRSS, "%s KiB per connection"},
		{figureConnect, "%s ms CPU per connect"},
	} {
		if v, ok := l.Figures[figure.name]; ok {
			parts = append(parts, fmt.Sprintf(figure.text, number(v)))
		}
	}
	return strings.Join(parts, ", ")
}

// load runs one load against a server of its own.
func (m *meter) load(ctx context.Context, l *load) (line lineResult, host bench.Host, err error) {
	line = lineResult{Name: l.name}
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	dir, err := os.MkdirTemp(m.dir, "load")
	if err != nil {
		return line, host, err
	}
	s, err := startServer(ctx, m.server, dir, l.cpus)
	if err != nil {
		return line, host, err
	}
	file := filepath.Join(dir, "report.json")
	loadErr := m.runTool(ctx, l, s, file)
	if err := errors.Join(loadErr, s.stop()); err != nil {
		return line, host, err
	}
	report, err := bench.ReadReport(file)
	if err != nil {
		return line, host, err
	}
	return lineOf(l.name, report.Runs), report.Host, nil
}

// runTool runs the load tool. Where the server's processors are counted, the tool
// gets the last one, which the server shares only if it has them all.
func (m *meter) runTool(ctx context.Context, l *load, s *server, file string) error {
	args := append([]string{m.tool, "bench"}, l.args...)
	args = append(args, "--url", s.url, "--app-id", appID, "--pid", strconv.Itoa(s.command.Process.Pid), "--json", file)
	if !l.once {
		args = append(args, "--runs", strconv.Itoa(m.runs))
	}
	if l.args[0] == "idle" {
		args = append(args, "--metrics", s.ops+"/metrics")
	}
	if l.cpus > 0 {
		args = pinned(runtime.NumCPU()-1, 1, args...)
	}
	command := exec.CommandContext(ctx, args[0], args[1:]...)
	command.Env = append(os.Environ(), "PIPESOCKETD_APP_ID="+appID, "PIPESOCKETD_APP_KEY="+appKey, "PIPESOCKETD_APP_SECRET="+appSecret)
	command.WaitDelay = stopTimeout
	var stderr bytes.Buffer
	command.Stderr = &stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return nil
}
