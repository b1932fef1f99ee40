package daemon

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// options returns those of a server on free loopback ports.
func options(change func(*config.Config)) Options {
	c := config.Defaults()
	c.Listen, c.Ops.Listen = "127.0.0.1:0", "127.0.0.1:0"
	if change != nil {
		change(c)
	}
	return Options{Config: c, Log: slog.New(slog.DiscardHandler), Stdout: &testkit.Output{}, Version: "test"}
}

// An orchestrator starts a server again only if it tells that it failed.
func TestFailedPartIsTheErrorOfServing(t *testing.T) {
	d, err := build(t.Context(), options(nil))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop, err := d.start(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.public.(*net.TCPListener).Close(); err != nil { // as if the system had taken it away
		t.Fatal(err)
	}
	if err := d.serve(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "public") {
		t.Errorf("serve: %v, want an error that names the public server", err)
	}
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
}

// hangupWhenReady sends this process a SIGHUP as soon as the ready line is there.
type hangupWhenReady struct{ testkit.Output }

func (o *hangupWhenReady) Write(p []byte) (int, error) {
	if bytes.HasPrefix(p, []byte("pipesocketd ready:")) {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			return 0, err
		}
	}
	return o.Output.Write(p)
}

func TestHangupRightAfterTheReadyLine(t *testing.T) {
	out, logs := &hangupWhenReady{}, &testkit.LogCapture{}
	s := run(t, func(o *Options) { o.Log, o.Stdout = logs.Logger(), out })
	testkit.WaitFor(t, func() bool {
		return len(logs.Find("reload ignored: this server has no configuration file")) == 1
	}, "the hangup to be noticed")
	if status, _ := s.get(s.public, "/live"); status != 200 {
		t.Errorf("the server answers %d", status)
	}
}
