package pusherhttpgo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	pusher "github.com/pusher/pusher-http-go/v5"
)

// deadline bounds every single wait of this suite.
const deadline = 15 * time.Second

const (
	appID     = "1001"
	appKey    = "app-key"
	appSecret = "app-secret"
	// masterKey is base64 of 32 bytes that only the backend knows.
	masterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
)

var readyLine = regexp.MustCompile(`^pipesocketd ready: public=(http://\S+) ops=http://\S+$`)

// world is one running server with a webhook receiver; all tests share it.
type world struct {
	address string    // host:port
	hooks   chan hook // one event each
	batches chan hook // of channels that end in -batched
	secrets chan hook // client events of encrypted channels
}

// hook is one webhook request as it came.
type hook struct {
	header http.Header
	body   []byte
}

var shared world

func TestMain(m *testing.M) {
	code, err := runWithServer(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func runWithServer(m *testing.M) (code int, err error) {
	binary := os.Getenv("PIPESOCKETD_BINARY")
	if binary == "" {
		return 1, errors.New("PIPESOCKETD_BINARY does not name the binary under test")
	}
	directory, err := os.MkdirTemp("", "pusher-http-go-")
	if err != nil {
		return 1, fmt.Errorf("make directory: %w", err)
	}
	defer os.RemoveAll(directory)

	shared.hooks = make(chan hook, 1_000)
	shared.batches = make(chan hook, 1_000)
	shared.secrets = make(chan hook, 1_000)
	receiver := httptest.NewServer(http.HandlerFunc(receive))
	defer receiver.Close()
	config := filepath.Join(directory, "config.json")
	if err := writeConfig(config, receiver.URL); err != nil {
		return 1, err
	}
	stop, err := start(binary, config)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	return m.Run(), nil
}

func receive(w http.ResponseWriter, r *http.Request) {
	var body strings.Builder
	if _, err := bufio.NewReader(r.Body).WriteTo(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	to := shared.hooks
	switch r.URL.Path {
	case "/batches":
		to = shared.batches
	case "/secrets":
		to = shared.secrets
	}
	to <- hook{header: r.Header.Clone(), body: []byte(body.String())}
}

func writeConfig(path, receiver string) error {
	every := []string{
		"channel_occupied", "channel_vacated", "member_added", "member_removed", "client_event", "cache_miss", "subscription_count",
	}
	config := map[string]any{
		"listen":       "127.0.0.1:0",
		"ops":          map[string]any{"listen": "127.0.0.1:0"},
		"drain_window": "100ms",
		"webhooks":     map[string]any{"allow_addresses": []string{"127.0.0.0/8"}, "grace_delay": "300ms"},
		"apps": []any{map[string]any{
			"id":                 appID,
			"keys":               []any{map[string]any{"key": appKey, "secret": appSecret}},
			"client_events":      true,
			"subscription_count": true,
			"webhooks": []any{
				map[string]any{"url": receiver, "events": every},
				map[string]any{"url": receiver + "/batches", "events": every, "batching": true, "channel_suffix": "-batched"},
				map[string]any{"url": receiver + "/secrets", "events": []string{"client_event"}, "channel_prefix": "private-encrypted-"},
			},
		}},
	}
	text, err := json.Marshal(config)
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// start runs the binary until the returned function is called, which requires
// that it ends with status 0.
func start(binary, config string) (stop func() error, err error) {
	command := exec.Command(binary, "--config", config)
	// The server takes every variable of its prefix for a setting.
	command.Env = slices.DeleteFunc(os.Environ(), func(variable string) bool {
		return strings.HasPrefix(variable, "PIPESOCKETD_")
	})
	var log lockedBuilder
	command.Stderr = &log
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("open standard output: %w", err)
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	kill := time.AfterFunc(deadline, func() { _ = command.Process.Kill() })
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if match := readyLine.FindStringSubmatch(lines.Text()); match != nil {
			kill.Stop()
			shared.address = strings.TrimPrefix(match[1], "http://")
			return func() error { return end(command, &log) }, nil
		}
	}
	return nil, fmt.Errorf("server ended before it was ready: %w\n%s", command.Wait(), log.String())
}

func end(command *exec.Cmd, log *lockedBuilder) error {
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop server: %w", err)
	}
	kill := time.AfterFunc(2*deadline, func() { _ = command.Process.Kill() })
	defer kill.Stop()
	if err := command.Wait(); err != nil {
		return fmt.Errorf("server ended: %w\n%s", err, log.String())
	}
	return nil
}

// lockedBuilder collects what the process writes while it runs.
type lockedBuilder struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuilder) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuilder) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// backend returns a client of the library under test.
func backend() *pusher.Client {
	return &pusher.Client{
		AppID: appID, Key: appKey, Secret: appSecret, Host: shared.address, EncryptionMasterKeyBase64: masterKey,
	}
}

// within returns a context for one wait.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	t.Cleanup(cancel)
	return ctx
}
