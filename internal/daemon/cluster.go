package daemon

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/pipesocket/pipesocketd/internal/cluster"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// leaveCluster is the time limit for telling the other nodes what is left to be told,
// and good-bye.
const leaveCluster = 3 * time.Second

// makeCluster makes this node if there are to be others, or else takes up what an
// earlier process has told receivers of webhooks. It connects to nothing.
func (d *daemon) makeCluster() error {
	c := d.o.Config.Cluster
	if !c.Enabled() && d.o.Engine == nil {
		d.webhooks.RestoreEdges()
		return nil
	}
	engine := d.o.Engine
	if engine == nil {
		trust, err := d.clusterTLS()
		if err != nil {
			return err
		}
		if engine, err = engineOf(c, trust, d.o.Log); err != nil {
			return fmt.Errorf("set up cluster.engine %s: %w", c.Label(), err)
		}
	}
	d.fits, _ = engine.(requiring)
	if err := d.fitEngine(d.apps.All()); err != nil {
		return fmt.Errorf("set up cluster.engine %s: %w", c.Label(), err)
	}
	var err error
	d.node, err = cluster.New(cluster.Options{
		Engine:       engine,
		Webhooks:     d.webhooks,
		Registry:     d.apps,
		Name:         c.Node,
		Version:      d.o.Version,
		Lease:        c.Lease,
		GraceDelay:   d.o.Config.Webhooks.GraceDelay,
		ReplayEvents: c.ReplayEvents,
		ReplayBytes:  c.ReplayBytes,
		ReplayAge:    c.ReplayAge,
		GapNotice:    c.GapNotice,
		Log:          d.o.Log,
		Metrics:      d.metrics,
	})
	if err != nil {
		return fmt.Errorf("set up cluster: %w", err)
	}
	return nil
}

// clusterTLS returns how connections to the engine, or between nodes, are made; nil
// if no file is named. A reload replaces the certificate.
func (d *daemon) clusterTLS() (*tls.Config, error) {
	c := d.o.Config.Cluster.TLS
	if !c.Given() {
		return nil, nil //nolint:nilnil // the engine's own way, as in crypto/tls
	}
	roots, err := c.Authorities()
	if err != nil {
		return nil, fmt.Errorf("load cluster.tls.ca_file: %w", err)
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: c.ServerName}
	if c.CertFile != "" {
		if d.clusterCertificate, err = loadCertificate("cluster.tls", c.CertFile, c.KeyFile); err != nil {
			return nil, err
		}
		trust.GetCertificate, trust.GetClientCertificate = d.clusterCertificate.get, d.clusterCertificate.show
	}
	return trust, nil
}

// toldOf asks the node whether receivers of webhooks are to be told of an edge.
func (d *daemon) toldOf(e hub.Edge, on bool) bool {
	return d.node == nil || d.node.OnTold(e, on)
}

// startCluster runs the node and returns how to leave the cluster.
func (d *daemon) startCluster() (stop func() error) {
	d.left = make(chan struct{})
	if d.node == nil {
		close(d.left)
		return func() error { return nil }
	}
	ctx, leave := context.WithCancel(context.Background())
	d.background("cluster", func() error {
		defer close(d.left)
		d.clusterFault = d.explain(d.node.Run(ctx))
		return d.clusterFault
	})
	return func() error {
		// Others tell of what is held back here, after their own delay: until then clients
		// may have come back to them.
		if d.others() > 0 {
			d.webhooks.Withdraw(func(hub.Edge) bool { return true })
		}
		leave()
		return d.withLimit(leaveCluster, func(ctx context.Context) error {
			select {
			case <-d.left:
				return nil
			case <-ctx.Done():
				return fmt.Errorf("leave cluster: %w", context.Cause(ctx))
			}
		})
	}
}

// explain names the setting that is at fault when an engine can never work.
func (d *daemon) explain(err error) error {
	if c := d.o.Config.Cluster; err != nil && c.Embedded() {
		return fmt.Errorf("open cluster.listen %s: %w", c.Listen, err)
	}
	return err
}

// joinPoll is the time between two looks at whether the node has joined.
const joinPoll = 5 * time.Millisecond

// awaitCluster waits until the node has joined the others or found none, but no
// longer than a lease: then it serves alone, and says so. It also returns when hurry is
// closed, and at the end of the node, whose error it returns.
func (d *daemon) awaitCluster(hurry <-chan struct{}) error {
	if d.node == nil {
		return nil
	}
	limit := time.NewTimer(d.o.Config.Cluster.Lease)
	defer limit.Stop()
	look := time.NewTicker(joinPoll)
	defer look.Stop()
	for len(d.node.Ready()) > 0 {
		select {
		case <-look.C:
		case <-limit.C:
			d.o.Log.Warn("not joined to the cluster: serving alone until then", "reasons", d.node.Ready())
			return nil
		case <-hurry:
			return nil
		case <-d.left:
			return d.clusterFault
		}
	}
	return nil
}
