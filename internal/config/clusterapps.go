package config

import "fmt"

// mostClustered is the most that one event's data or a member's info may have where
// there are other nodes: with 256 KiB no message between them has more than
// 3.2 MiB, which every engine can be set up for.
const mostClustered = 256 << 10

// checkClusterApps refuses apps that would not be the same at every node.
func (c *Config) checkClusterApps(found *faults) {
	if !c.Cluster.Enabled() {
		return
	}
	c.checkHistoryOfCluster(found)
	for i := range c.Apps {
		app, path := &c.Apps[i], index("apps", i)
		for _, limit := range []struct {
			name  string
			bytes int
		}{{".max_event_bytes", app.MaxEventBytes}, {".max_user_info_bytes", app.MaxUserInfoBytes}} {
			if limit.bytes > mostClustered {
				found.add(path+limit.name, "", fmt.Sprintf("must be at most %d with cluster.engine, to reach other nodes", mostClustered))
			}
		}
	}
}

// checkHistoryOfCluster refuses a history of which every node would have a part.
func (c *Config) checkHistoryOfCluster(found *faults) {
	if c.History.Database != "" {
		return
	}
	for i := range c.Apps {
		if len(c.Apps[i].History.Channels) > 0 {
			found.add("history.database", "", fmt.Sprintf(
				"is missing: %s keeps a history, and of the file in data_dir every node of a cluster would have its own",
				index("apps", i)))
			return
		}
	}
}
