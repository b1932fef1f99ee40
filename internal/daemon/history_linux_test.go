package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

var historyPair = auth.Key{Key: "k", Secret: "0123456789abcdef"}

// call sends a signed request for the app 7 and returns its answer.
func (s *server) call(method, path, body string, params url.Values) (int, string) {
	s.t.Helper()
	path = "/apps/7/" + path
	query := auth.SignedQuery(historyPair, method, path, params, []byte(body), time.Now())
	request, err := http.NewRequestWithContext(s.t.Context(), method, "http://"+s.public+path+"?"+query, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// publish publishes an event, which must be accepted at once.
func (s *server) publish(name string) {
	s.t.Helper()
	began := time.Now()
	status, answer := s.call(http.MethodPost, "events", `{"name":"`+name+`","channel":"private-c","data":"x"}`, nil)
	if took := time.Since(began); status != http.StatusOK || took > time.Second {
		s.t.Errorf("published within %v: %d %s", took, status, answer)
	}
}

// past returns the names of the channel's events, and whether there was an answer.
func (s *server) past() (string, bool) {
	s.t.Helper()
	status, answer := s.call(http.MethodGet, "channels/private-c/history", "", url.Values{"order": {"oldest"}})
	if status == http.StatusServiceUnavailable {
		return "", false
	}
	var page struct {
		Events []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(answer), &page); err != nil || status != http.StatusOK {
		s.t.Fatalf("%d %s", status, answer)
	}
	var names []string
	for _, e := range page.Events {
		names = append(names, e.Name)
	}
	return strings.Join(names, " "), true
}

func withHistory(c *config.Config, patterns ...string) *config.Config {
	withApp(c, historyPair.Key)
	c.Apps[0].History.Channels = patterns
	return c
}

// A database that comes late and goes again costs neither the start nor an event.
func TestHistoryInPostgres(t *testing.T) {
	postgres := testkit.NewPostgres(t)
	logs := &testkit.LogCapture{}
	s := run(t, func(o *Options) {
		o.Log = logs.Logger()
		withHistory(o.Config, "private-*")
		o.Config.History.Database = postgres.URL()
	})
	if status, _ := s.get(s.ops, "/ready"); status != http.StatusOK {
		t.Errorf("/ready answers %d without the database", status)
	}
	s.publish("a")
	if names, ok := s.past(); ok {
		t.Errorf("history %q without a database", names)
	}
	has := func(want string) {
		t.Helper()
		testkit.WaitFor(t, func() bool { names, _ := s.past(); return names == want }, "the history "+want)
	}
	postgres.Start()
	has("a")
	s.publish("b")
	has("a b")
	postgres.Kill()
	s.publish("c")
	postgres.Start()
	has("a b c")
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil
	if got := postgres.Query("SELECT string_agg(name, ' ' ORDER BY time, id) FROM pipesocketd_history"); got != "a b c\n" {
		t.Errorf("the database has %q", got)
	}
	if strings.Contains(logs.String(), testkit.PostgresPassword) {
		t.Errorf("the password is in the log:\n%s", logs)
	}
}

func TestHistoryInTheDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	var next atomic.Pointer[config.Config]
	logs := &testkit.LogCapture{}
	change := func(patterns ...string) func(*Options) {
		return func(o *Options) {
			o.Log = logs.Logger()
			o.Reload = func() (*config.Config, error) { return next.Load(), nil }
			withHistory(o.Config, patterns...)
			o.Config.DataDir = dir
		}
	}
	s := run(t, change())
	file := filepath.Join(dir, config.HistoryFile)
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a database without an app that has history: %v", err)
	}
	s.publish("a")
	c := withHistory(config.Defaults(), "private-*")
	next.Store(c)
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	testkit.WaitFor(t, func() bool { return len(logs.Find("reloaded apps and certificate")) == 1 }, "the reload")
	s.publish("b")
	testkit.WaitFor(t, func() bool { names, _ := s.past(); return names == "b" }, "the history after the reload")
	for name, mode := range map[string]os.FileMode{dir: 0o700, file: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info, err, mode)
		}
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
	s.done <- nil
	again := run(t, change("private-*"))
	if names, ok := again.past(); names != "b" || !ok {
		t.Errorf("after a restart: %q", names)
	}
}

func TestHistoryThatCannotBeOpened(t *testing.T) {
	file := filepath.Join(t.TempDir(), config.HistoryFile)
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(nil)
	withHistory(o.Config, "*")
	o.Config.DataDir = filepath.Dir(file)
	if err := Run(t.Context(), o); err == nil || !strings.Contains(fmt.Sprint(err), file) {
		t.Errorf("error %v", err)
	}
}
