package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// clusterTimeout is the time for one answer.
const clusterTimeout = 10 * time.Second

func (p *program) clusterCommand() *cobra.Command {
	var t opsTarget
	parent := &cobra.Command{
		Use:   "cluster",
		Short: "Look at the nodes of a cluster",
		Long: "cluster asks the operations API of a running node.\n\n" +
			"The address is that of the configuration (--config, PIPESOCKETD_CONFIG, PIPESOCKETD_OPS_LISTEN) or of --ops, and the token\n" +
			"that of " + tokenVariable + ", else that of the configuration.\n\n" +
			"The exit code is 0 if the node answers, 1 if not, and 2 if the command line or the configuration is wrong.",
		Example: "  pipesocketd cluster status\n" +
			"  pipesocketd cluster status --ops http://10.0.0.2:9601 --json",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	t.addFlags(parent.PersistentFlags())
	parent.AddCommand(p.clusterStatusCommand(&t))
	return parent
}

func (p *program) clusterStatusCommand(t *opsTarget) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "status",
		Short: "Show the nodes, the engine between them and counters, as one node sees them",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.completeOps(cmd, t); err != nil {
				return err
			}
			answer, err := t.ask(cmd.Context(), opsCall{method: http.MethodGet, path: "/api/cluster", timeout: clusterTimeout})
			if err != nil {
				return codedFailure(err)
			}
			if asJSON {
				_, err = p.stdout.Write(answer)
				return wrapFailure(err)
			}
			return wrapFailure(printCluster(p.stdout, answer, time.Now()))
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the JSON object that the server sent")
	return command
}

// clusterStatus is the cluster as a node tells of it.
type clusterStatus struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
	Engine  struct {
		Engine  string   `json:"engine"`
		Servers []string `json:"servers"`
		Version string   `json:"version"`
		Up      bool     `json:"up"`
		SinceMS int64    `json:"since_ms"`
		Fault   string   `json:"fault"`
	} `json:"engine"`
	Nodes []struct {
		ID          string  `json:"id"`
		Name        string  `json:"name"`
		Version     string  `json:"version"`
		State       string  `json:"state"`
		StartedMS   int64   `json:"started_ms"`
		Connections int     `json:"connections"`
		LagMS       float64 `json:"lag_ms"`
	} `json:"nodes"`
	Settled       bool               `json:"settled"`
	OtherReleases bool               `json:"other_releases"`
	Counters      map[string]float64 `json:"counters"`
}

// printCluster prints the answer to a request for the status. What other nodes
// have sent moves no cursor.
func printCluster(out io.Writer, answer []byte, now time.Time) error {
	var c clusterStatus
	if err := json.Unmarshal(answer, &c); err != nil {
		return fmt.Errorf("the server does not answer with a cluster: %w", err)
	}
	tabs := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(tabs, "node\t%s\nid\t%s\nready\t%s\n", shown(c.Name), shown(c.ID), c.readiness())
	fmt.Fprintf(tabs, "engine\t%s\nlink\t%s\n", shown(strings.TrimSpace(c.Engine.Engine+" "+c.Engine.Version)), c.link(now))
	if len(c.Engine.Servers) > 0 {
		fmt.Fprintf(tabs, "servers\t%s\n", shown(strings.Join(c.Engine.Servers, " ")))
	}
	for _, note := range c.notes() {
		fmt.Fprintf(tabs, "note\t%s\n", note)
	}
	if err := tabs.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(tabs, "\nNODE\tID\tSTATE\tVERSION\tSTARTED\tCONNECTIONS\tLAG")
	for _, n := range c.Nodes {
		started := "-"
		if n.StartedMS != 0 {
			started = shownTime(n.StartedMS)
		}
		fmt.Fprintf(tabs, "%s\t%s\t%s\t%s\t%s\t%d\t%.1fms\n",
			shown(n.Name), shown(n.ID), shown(n.State), shown(n.Version), started, n.Connections, n.LagMS)
	}
	if len(c.Counters) > 0 {
		fmt.Fprintln(tabs, "\nMETRIC\tVALUE")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Counters)) {
		fmt.Fprintf(tabs, "%s\t%s\n", shown(name), strconv.FormatFloat(c.Counters[name], 'f', -1, 64))
	}
	return tabs.Flush()
}

// notes tell what is not as it should be.
func (c *clusterStatus) notes() (all []string) {
	if !c.Settled {
		all = append(all, "the nodes do not agree yet on who is there")
	}
	if c.OtherReleases {
		all = append(all, "nodes of a release that this one cannot talk with use the engine")
	}
	return all
}

func (c *clusterStatus) readiness() string {
	if c.Ready {
		return "yes"
	}
	return "no: " + shown(strings.Join(c.Reasons, "; "))
}

func (c *clusterStatus) link(now time.Time) string {
	text := "down"
	if c.Engine.Up {
		text = "up"
	}
	if since := time.UnixMilli(c.Engine.SinceMS); c.Engine.SinceMS != 0 {
		text += " for " + now.Sub(since).Truncate(time.Second).String()
	}
	if c.Engine.Fault != "" {
		text += ": " + shown(c.Engine.Fault)
	}
	return text
}
