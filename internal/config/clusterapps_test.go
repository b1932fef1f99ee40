package config

import (
	"strings"
	"testing"
)

func TestLimitsThatOtherNodesCannotBeToldWith(t *testing.T) {
	for name, c := range map[string]struct {
		engine      string
		event, info int
		faults      []string
	}{
		"alone":          {"", mostBytes, mostBytes, nil},
		"most":           {"nats://h", 262_144, 262_144, nil},
		"too large data": {"nats://h", 262_145, 1, []string{"apps[1].max_event_bytes: must be at most 262144 with cluster.engine"}},
		"too large info": {"redis://h", 1, 262_145, []string{"apps[1].max_user_info_bytes: must be at most 262144 with cluster.engine"}},
	} {
		t.Run(name, func(t *testing.T) {
			var found faults
			config := Config{Cluster: Cluster{Engine: c.engine}, Apps: []App{DefaultApp(), DefaultApp()}}
			config.Apps[1].MaxEventBytes, config.Apps[1].MaxUserInfoBytes = c.event, c.info
			config.checkClusterApps(&found)
			var text string
			if err := found.err(); err != nil {
				text = err.Error()
			}
			for _, want := range c.faults {
				if !strings.Contains(text, want) {
					t.Errorf("found %q, want %q", text, want)
				}
			}
			if len(c.faults) == 0 && text != "" {
				t.Errorf("found %q", text)
			}
		})
	}
}
