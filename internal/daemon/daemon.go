package daemon

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/cluster"
	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/history"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/metrics"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
	"github.com/pipesocket/pipesocketd/internal/session"
	"github.com/pipesocket/pipesocketd/internal/webhook"
	"github.com/pipesocket/pipesocketd/internal/ws"
)

// Options are what a server process is made of.
type Options struct {
	Config  *config.Config // valid
	Log     *slog.Logger
	Stdout  io.Writer // the ready line and, without configured apps, how to begin
	Version string

	// Reload reads the configuration again, on SIGHUP; nil: SIGHUP is ignored.
	Reload func() (*config.Config, error)

	// Force is closed to cut a graceful stop short. May be nil.
	Force <-chan struct{}

	// Engine joins this node to others, instead of the engine that the configuration
	// names. May be nil.
	Engine broker.Engine
}

// Run serves until ctx ends or a part fails, and then stops gracefully. The error
// says why the server could not start, which part failed, or what went wrong in
// stopping.
func Run(ctx context.Context, o Options) error {
	d, err := build(ctx, o)
	if err != nil {
		return err
	}
	if err := d.open(ctx); err != nil {
		return errors.Join(err, d.closeData()) //nolint:contextcheck // also if ctx has ended
	}
	// From before the ready line to the end: an unexpected SIGHUP ends a process.
	hangup, ignoreHangup := notifyHangup()
	defer ignoreHangup()
	stop, failure := d.start(ctx.Done()) //nolint:contextcheck // the stop begins when ctx has ended
	if failure == nil {
		d.announce()
		failure = d.serve(ctx, hangup)
	}
	return errors.Join(failure, stop())
}

// daemon is one server process.
type daemon struct {
	// set by build, immutable
	o                  Options
	credentials        config.Credentials
	apps               *apps.Registry
	metrics            *prometheus.Registry
	data               *data // nil without a data directory
	webhooks           *webhook.Dispatcher
	history            *history.Log  // nil if there is no database for it
	node               *cluster.Node // nil if there are no others
	fits               requiring     // the engine, if that has to know how much is sent; else nil
	hub                *hub.Hub
	sockets            *ws.Handler
	api                http.Handler
	reloads            *reloads
	certificate        *certificate                      // nil without TLS
	clusterCertificate *certificate                      // nil without cluster.tls.cert_file
	access             atomic.Pointer[httpapi.OpsAccess] // of the operations listener; replaced by a reload
	ready              readiness

	// set by open
	public, ops net.Listener

	// set by start
	left         chan struct{} // closed when the node has left the cluster, or there is none
	clusterFault error         // why it can never be in one; read after left

	failed  chan error     // capacity for every part that could fail while serving
	running sync.WaitGroup // servers and background parts
}

// build makes every part; nothing runs yet but what keeps the data directory,
// which close ends.
func build(ctx context.Context, o Options) (_ *daemon, err error) {
	d := &daemon{o: o, metrics: metrics.New(o.Version), reloads: &reloads{}, failed: make(chan error, 6)}
	defer func() { //nolint:contextcheck // also if ctx has ended
		if err != nil {
			err = errors.Join(err, d.closeData())
		}
	}()
	for _, warning := range o.Config.Warnings() {
		o.Log.Warn("configuration", "warning", warning)
	}
	all, credentials, err := config.ResolveApps(o.Config, rand.Reader)
	if err != nil {
		return nil, err
	}
	d.credentials = credentials
	if d.apps, err = apps.NewRegistry(all...); err != nil {
		return nil, fmt.Errorf("register apps: %w", err)
	}
	if o.Config.TLS.Enabled() {
		if d.certificate, err = loadCertificate("tls", o.Config.TLS.CertFile, o.Config.TLS.KeyFile); err != nil {
			return nil, err
		}
	}
	d.access.Store(accessOf(o.Config.Ops))
	trust, err := trustOf(o.Config.Webhooks)
	if err != nil {
		return nil, err
	}
	if o.Config.DataDir != "" {
		if d.data, err = openData(ctx, o, d.metrics); err != nil {
			return nil, err
		}
	} else if d.sendsWebhooks() {
		o.Log.Warn("webhooks are kept in memory only: a crash loses those that wait (data_dir is not set)")
	}
	if d.webhooks, err = webhook.New(d.webhookOptions(trust)); err != nil {
		return nil, fmt.Errorf("set up webhooks: %w", err)
	}
	if err := d.makeCluster(); err != nil {
		return nil, err
	}
	if err := d.makeHistory(); err != nil {
		return nil, err
	}
	d.hub = hub.New(d.hubOptions())
	if d.node != nil {
		d.node.Attach(d.hub)
	}
	d.sockets = ws.New(d.socketOptions(connectionLimit(o.Config.Limits.MaxConnections, o.Config.Webhooks.MaxInFlight, o.Log)))
	d.api = httpapi.New(d.apiOptions())
	d.metrics.MustRegister(d.hub, d.sockets, d.reloads)
	return d, nil
}

func accessOf(c config.Ops) *httpapi.OpsAccess {
	return &httpapi.OpsAccess{Token: c.Token, Require: c.RequireToken}
}

func (d *daemon) webhookOptions(trust webhook.Trust) webhook.Options {
	c := d.o.Config.Webhooks
	o := webhook.Options{
		Registry:    d.apps,
		Allow:       c.AllowAddresses,
		Trust:       trust,
		GraceDelay:  c.GraceDelay,
		Timeout:     c.Timeout,
		QueueBytes:  d.o.Config.QueueLimit(),
		MaxInFlight: c.MaxInFlight,
		UserAgent:   "pipesocketd/" + d.o.Version,
		Log:         d.o.Log,
		Metrics:     d.metrics,
	}
	if d.o.Config.Cluster.Enabled() || d.o.Engine != nil {
		o.OnTold = d.toldOf
	}
	if d.data != nil {
		o.Journal, o.Attempts = d.data.webhooks, d.data.webhooks
	}
	return o
}

func (d *daemon) socketOptions(maxConnections int) ws.Options {
	c := d.o.Config
	return ws.Options{
		Registry:        d.apps,
		Log:             d.o.Log,
		Mount:           c.Mount,
		DefaultProtocol: c.DefaultProtocol,
		MessageBytes:    int64(c.Limits.MessageBytes),
		MaxConnections:  int64(maxConnections),
		ConnectionRate:  ratelimit.PerSecond(c.Limits.ConnectionsPerSecondPerIP, c.Limits.ConnectionBurstPerIP),
		ExemptAddresses: c.Limits.ExemptAddresses,
		TrustedProxies:  c.TrustedProxies,
		Session: session.Options{
			Hub:                       d.hub,
			Log:                       d.o.Log,
			ErrorBeforeClose:          c.ErrorBeforeClose == config.ErrorAlways,
			SubscriptionErrorFrames:   c.SubscriptionErrorFrames == config.SubscriptionErrorBoth,
			InternalSubscriptionError: c.InternalSubscriptionError,
			MessagesPerSecond:         c.Limits.FramesPerSecond,
		},
	}
}

func (d *daemon) hubOptions() hub.Options {
	o := hub.Options{Registry: d.apps, Notices: d.webhooks, Log: d.o.Log}
	if d.node != nil {
		o.Relay, o.Notices = d.node, d.node
	}
	if d.history != nil {
		o.Events = d.history
	}
	return o
}

func (d *daemon) opsAPIOptions() httpapi.OpsAPIOptions {
	o := httpapi.OpsAPIOptions{Log: d.o.Log}
	if d.data != nil {
		o.Webhooks = keptWebhooks{d.data.webhooks}
	}
	if d.node != nil {
		o.Cluster = d.clusterStatus
	}
	return o
}

func (d *daemon) apiOptions() httpapi.Options {
	c := d.o.Config
	o := httpapi.Options{
		Registry:    d.apps,
		Hub:         d.hub,
		Mount:       c.Mount,
		MaxBody:     int64(c.Limits.RequestBytes),
		Development: d.credentials.Explain,
		Log:         d.o.Log,
		Metrics:     d.metrics,
	}
	if d.history != nil {
		o.History = d.history
	}
	return o
}
