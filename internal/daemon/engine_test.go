package daemon

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/config"
)

// Whoever waits for the ready line is not told that a node serves which ends the
// next moment.
func TestEngineThatCanNeverWork(t *testing.T) {
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	o := options(func(c *config.Config) {
		c.Cluster.Engine, c.Cluster.Listen = config.EngineEmbedded, taken.Addr().String()
	})
	err = Run(t.Context(), o)
	if err == nil || !strings.HasPrefix(err.Error(), "open cluster.listen "+taken.Addr().String()+": ") ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Run: %v, want an error that names the setting and the address", err)
	}
	if out := o.Stdout.(fmt.Stringer).String(); strings.Contains(out, "ready") {
		t.Errorf("printed %q", out)
	}
}

func TestEngineOf(t *testing.T) {
	for url, want := range map[string]string{
		"redis://127.0.0.1:1":                   "redis",
		"valkey://127.0.0.1:1":                  "redis",
		"nats://127.0.0.1:1,nats://127.0.0.1:2": "nats",
		"tls://127.0.0.1:1":                     "nats",
		"nats://u:sesame@127.0.0.1:1?sesame=a":  "",
		config.EngineEmbedded:                   "embedded",
	} {
		c := config.Defaults().Cluster
		c.Engine, c.Listen, c.Seeds = url, "127.0.0.1:6222", []string{"127.0.0.2"}
		engine, err := engineOf(c, nil, options(nil).Log)
		switch {
		case want == "" && (err == nil || strings.Contains(err.Error(), "sesame")):
			t.Errorf("%s: error %v", url, err)
		case want != "" && err != nil:
			t.Errorf("%s: %v", url, err)
		case want != "" && engine.Describe().Engine != want:
			t.Errorf("%s is %+v", url, engine.Describe())
		}
	}
}
