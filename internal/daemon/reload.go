package daemon

import (
	"crypto/tls"
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/config"
)

// reload takes over the apps, the files of TLS certificates and of webhooks'
// trust, and the access to the operations listener from the configuration as it
// is now. Everything else needs a restart. On any fault all stays as it was.
func (d *daemon) reload() {
	if d.o.Reload == nil {
		d.o.Log.Warn("reload ignored: this server has no configuration file")
		return
	}
	if err := d.tryReload(); err != nil {
		d.reloads.failed.Add(1)
		d.o.Log.Error("reload failed, the old configuration stays", "error", err)
		return
	}
	d.reloads.done.Add(1)
	d.o.Log.Info("reloaded apps and certificate", "apps", len(d.apps.All()))
}

func (d *daemon) tryReload() error {
	next, err := d.o.Reload()
	if err != nil {
		return err
	}
	if len(next.Apps) == 0 && d.credentials.Kind == config.Configured {
		return errors.New("no app is configured any more")
	}
	// The socket stays where it is, so the new settings are judged by that.
	// The databases and the cluster too stay what they were.
	next.Listen, next.DataDir, next.History = d.o.Config.Listen, d.o.Config.DataDir, d.o.Config.History
	next.Cluster = d.o.Config.Cluster
	if err := next.Validate(); err != nil {
		return err
	}
	renew, err := d.renewals()
	if err != nil {
		return err
	}
	trust, err := trustOf(next.Webhooks)
	if err != nil {
		return err
	}
	if len(next.Apps) > 0 { // otherwise the app made at the start stays
		all := next.BuildApps()
		if err := d.fitEngine(all); err != nil {
			return err
		}
		if err := d.apps.Replace(all...); err != nil {
			return errors.Join(err, d.fitEngine(d.apps.All()))
		}
		d.hub.Reconfigure()
	}
	// Last, so that a fault leaves all of it as it was.
	for certificate, pair := range renew {
		certificate.current.Store(pair)
	}
	d.webhooks.Renew(trust)
	d.access.Store(accessOf(next.Ops))
	return nil
}

// renewals reads the files of certificates as they are now.
func (d *daemon) renewals() (map[*certificate]*tls.Certificate, error) {
	read := make(map[*certificate]*tls.Certificate)
	for _, c := range []*certificate{d.certificate, d.clusterCertificate} {
		if c == nil {
			continue
		}
		pair, err := c.read()
		if err != nil {
			return nil, err
		}
		read[c] = pair
	}
	return read, nil
}

// reloads counts reloads for metrics.
type reloads struct{ done, failed atomic.Uint64 }

var _ prometheus.Collector = (*reloads)(nil)

var descReloads = prometheus.NewDesc("pipesocketd_config_reloads_total",
	"Reloads of the configuration, by result.", []string{"result"}, nil)

// Describe implements prometheus.Collector.
func (r *reloads) Describe(ch chan<- *prometheus.Desc) { ch <- descReloads }

// Collect implements prometheus.Collector.
func (r *reloads) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(descReloads, prometheus.CounterValue, float64(r.done.Load()), "ok")
	ch <- prometheus.MustNewConstMetric(descReloads, prometheus.CounterValue, float64(r.failed.Load()), "failed")
}
