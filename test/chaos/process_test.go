package chaos

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

const (
	startTimeout   = 20 * time.Second
	attemptTimeout = 500 * time.Millisecond // webhooks.timeout
)

var readyLine = regexp.MustCompile(`^pipesocketd ready: public=http://(\S+) ops=http://(\S+)$`)

// program builds the server and returns where it is.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipesocketd")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "../../cmd/pipesocketd")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the server: %v\n%s", err, out)
	}
	return path
}

// process is a server that runs.
type process struct {
	t           *testing.T
	cmd         *exec.Cmd
	public, ops string // HOST:PORT
	ended       chan struct{}
	stderr      testkit.Output
}

// start runs the server and returns when it is ready.
func start(t *testing.T, program, config string) *process {
	t.Helper()
	p := &process{t: t, ended: make(chan struct{}), cmd: exec.CommandContext(t.Context(), program, "--config", config)}
	for _, pair := range os.Environ() {
		if !strings.HasPrefix(pair, "PIPESOCKETD_") {
			p.cmd.Env = append(p.cmd.Env, pair)
		}
	}
	p.cmd.Stderr = &p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it has ended, unless the test failed
		<-p.ended
	})
	ready := make(chan []string, 1)
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if found := readyLine.FindStringSubmatch(lines.Text()); found != nil {
				ready <- found
			}
		}
		_ = p.cmd.Wait() // it is killed
	}()
	select {
	case found := <-ready:
		p.public, p.ops = found[1], found[2]
	case <-p.ended:
		t.Fatalf("the server ended before it was ready\n%s", p.stderr.String())
	case <-time.After(startTimeout):
		t.Fatalf("the server is not ready\n%s", p.stderr.String())
	}
	return p
}

// kill ends the process at once and returns when that was.
func (p *process) kill() time.Time {
	p.t.Helper()
	select {
	case <-p.ended:
		p.t.Fatalf("the server ended by itself\n%s", p.stderr.String())
	default:
	}
	at := time.Now()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
	if text := p.stderr.String(); strings.Contains(text, "panic") || strings.Contains(text, "DATA RACE") {
		p.t.Errorf("log of the server:\n%s", text)
	}
	return at
}

// metrics returns the figures of the server.
func (p *process) metrics() string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, "http://"+p.ops+"/metrics", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

// dump ends the process and returns what its goroutines were doing.
func (p *process) dump() string {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		p.t.Error(err)
	}
	<-p.ended
	return p.stderr.String()
}

// configure writes a configuration with the given receivers.
func configure(t *testing.T, receivers []*receiver) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`listen: 127.0.0.1:0
ops: {listen: 127.0.0.1:0}
data_dir: %s
webhooks: {allow_addresses: [127.0.0.0/8], grace_delay: 300ms, timeout: %s}
apps:
  - id: "1"
    keys: [{key: %s, secret: %s}]
    client_events: true
    client_event_rate: 10000
    webhooks:
`, filepath.Join(dir, "data"), attemptTimeout, appKey, appSecret)
	for _, r := range receivers {
		text += fmt.Sprintf(`      - url: %s
        events: [channel_occupied, channel_vacated, member_added, member_removed, client_event]
        batching: %v
        batch_wait: 100ms
`, r.server.URL, r.batching)
	}
	path := filepath.Join(dir, "pipesocketd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
