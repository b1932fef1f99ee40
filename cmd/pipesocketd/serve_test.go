package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/daemon"
)

// serving starts a program whose server is serve and returns the channel of its
// signals and that of its exit code.
func serving(t *testing.T, stderr *bytes.Buffer, serve func(context.Context, daemon.Options) error, args ...string) (chan<- os.Signal, <-chan int) {
	t.Helper()
	signals := make(chan os.Signal, 2)
	p := program{
		stdin: strings.NewReader(""), stdout: new(bytes.Buffer), stderr: stderr,
		signals: signals, notify: func() {}, serve: serve,
	}
	code := make(chan int, 1)
	go func() { code <- p.run(t.Context(), args) }()
	return signals, code
}

func TestSignals(t *testing.T) {
	t.Run("the first one stops gracefully", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var stderr bytes.Buffer
			signals, code := serving(t, &stderr, func(ctx context.Context, o daemon.Options) error {
				<-ctx.Done()
				time.Sleep(time.Minute) // drains
				select {
				case <-o.Force:
					t.Error("the stop was forced")
				default:
				}
				return nil
			})
			signals <- syscall.SIGTERM
			if got := <-code; got != 0 {
				t.Errorf("exit code %d, %s", got, stderr.String())
			}
		})
	})
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run("a second "+signal.String()+" forces the stop", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stderr bytes.Buffer
				signals, code := serving(t, &stderr, func(_ context.Context, o daemon.Options) error {
					<-o.Force
					return errors.New("cut short")
				})
				signals <- syscall.SIGTERM
				synctest.Wait()
				begin := time.Now()
				signals <- signal
				if got := <-code; got != want || time.Since(begin) != 0 {
					t.Errorf("exit code %d after %v, want %d at once", got, time.Since(begin), want)
				}
				if line := "pipesocketd: stopped at once by a second signal (" + signal.String() + ")\n"; !strings.HasSuffix(stderr.String(), line) {
					t.Errorf("standard error %s", stderr.String())
				}
			})
		})
	}
	t.Run("a server that does not end then is left behind", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var stderr bytes.Buffer
			stuck := make(chan struct{})
			defer close(stuck)
			signals, code := serving(t, &stderr, func(context.Context, daemon.Options) error {
				<-stuck
				return nil
			})
			signals <- syscall.SIGINT
			synctest.Wait()
			begin := time.Now()
			signals <- syscall.SIGINT
			synctest.Wait()
			signals <- syscall.SIGINT // a third changes nothing
			if got := <-code; got != 130 || time.Since(begin) != forcedStop {
				t.Errorf("exit code %d after %v", got, time.Since(begin))
			}
		})
	})
}

func TestServe(t *testing.T) {
	t.Run("a server that cannot start is a failure", func(t *testing.T) {
		var stderr bytes.Buffer
		_, code := serving(t, &stderr, func(context.Context, daemon.Options) error { return errors.New("listen: address in use") })
		if got := <-code; got != exitFailure || stderr.String() != "pipesocketd: listen: address in use\n" {
			t.Errorf("exit code %d, %s", got, stderr.String())
		}
	})
	t.Run("options are those of the command line", func(t *testing.T) {
		var stderr bytes.Buffer
		_, code := serving(t, &stderr, func(_ context.Context, o daemon.Options) error {
			if o.Config.Listen != "127.0.0.1:7001" || o.Config.DrainWindow != time.Second || o.Version != buildVersion() || o.Stdout == nil {
				t.Errorf("options %+v", o)
			}
			o.Log.Info("no")
			o.Log.Warn("yes", "k", "v")
			return nil
		}, "serve", "--listen=127.0.0.1:7001", "--drain-window=1s", "--log-level=warn", "--log-format=text")
		if got := <-code; got != 0 || strings.Contains(stderr.String(), "no") || !strings.Contains(stderr.String(), "level=WARN msg=yes k=v") {
			t.Errorf("exit code %d, log %s", got, stderr.String())
		}
	})
	t.Run("reload reads the file again, and the level of the log with it", func(t *testing.T) {
		path := file(t, "c.yaml", "log: {level: error}\n")
		rewrite := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Error(err)
			}
		}
		var stderr bytes.Buffer
		_, code := serving(t, &stderr, func(_ context.Context, o daemon.Options) error {
			rewrite("log: {level: debug}\nmount: /m\n")
			if c, err := o.Reload(); err != nil || c.Mount != "/m" || o.Config.Mount != "" {
				t.Errorf("Reload = %+v, %v", c, err)
			}
			o.Log.Debug("told")
			rewrite("log: {level: warn}\nmount: m\n")
			if c, err := o.Reload(); err == nil || c != nil {
				t.Errorf("Reload of a bad file = %+v, %v", c, err)
			}
			o.Log.Debug("told again")
			return nil
		}, "--config", path)
		if got := <-code; got != 0 || strings.Count(stderr.String(), `"msg":"told`) != 2 {
			t.Errorf("exit code %d, log %s", got, stderr.String())
		}
	})
}

func TestNewLog(t *testing.T) {
	for _, tt := range []struct {
		format   string
		terminal bool
		want     string
	}{
		{config.Auto, true, "level=ERROR msg=m"},
		{config.Auto, false, `"level":"ERROR","msg":"m"`},
		{config.LogText, false, "level=ERROR msg=m"},
		{config.LogJSON, true, `"level":"ERROR","msg":"m"`},
	} {
		var out bytes.Buffer
		log := newLog(&out, tt.format, tt.terminal, config.Log{Level: "error"}.SlogLevel())
		log.Warn("hidden")
		log.Error("m")
		if !strings.Contains(out.String(), tt.want) || strings.Contains(out.String(), "hidden") {
			t.Errorf("format %s, terminal %v: %s", tt.format, tt.terminal, out.String())
		}
	}
}

func TestIsTerminal(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = read.Close(), write.Close() }()
	if isTerminal(write) {
		t.Error("a pipe is taken for a terminal")
	}
}
