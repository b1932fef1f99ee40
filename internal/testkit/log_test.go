package testkit

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestLogCapture(t *testing.T) {
	var c LogCapture
	log := c.Logger()
	log.Debug("first", "n", 9_007_199_254_740_993, "took", 1500*time.Millisecond)
	log.With("app", "1").WithGroup("conn").Warn("second", "socket_id", "1.2", slog.Group("peer", "port", 80))
	log.Error("first", "err", errors.New("boom"), "on", true)

	records := c.Records()
	if len(records) != 3 || records[0].Level != "DEBUG" || records[1].Level != "WARN" || records[2].Level != "ERROR" {
		t.Fatalf("records %+v", records)
	}
	first := c.Find("first")
	if len(first) != 2 || first[0].Attrs["n"] != "9007199254740993" || first[1].Attrs["err"] != "boom" || first[1].Attrs["on"] != "true" {
		t.Errorf("first: %+v", first)
	}
	second := c.Find("second")
	if len(second) != 1 || len(second[0].Attrs) != 3 || second[0].Attrs["app"] != "1" ||
		second[0].Attrs["conn.socket_id"] != "1.2" || second[0].Attrs["conn.peer.port"] != "80" {
		t.Errorf("second: %+v", second)
	}
	if c.Find("third") != nil || !strings.Contains(c.String(), `"socket_id":"1.2"`) {
		t.Errorf("log:\n%s", c.String())
	}
}

func TestLogCaptureConcurrently(t *testing.T) {
	var c LogCapture
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 25 {
				c.Logger().Info("line")
				_ = c.Records()
			}
		})
	}
	wg.Wait()
	if n := len(c.Find("line")); n != 100 {
		t.Fatalf("%d records, want 100", n)
	}
}
