package daemon

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/httpapi/fastlane"
	"github.com/pipesocket/pipesocketd/internal/netpoll"
	"github.com/pipesocket/pipesocketd/internal/ws"
)

// Time limits of HTTP requests. A WebSocket upgrade has them until its
// handshake; from then on the session's apply.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute // backends keep connections between triggers
)

// open opens both listeners and the databases, or nothing.
func (d *daemon) open(ctx context.Context) (err error) {
	if d.ops, err = listen(ctx, d.o.Config.Ops.Listen); err != nil {
		return fmt.Errorf("open ops.listen: %w", err)
	}
	if d.public, err = listen(ctx, d.o.Config.Listen); err != nil {
		_ = d.ops.Close() // nothing came in yet
		return fmt.Errorf("open listen: %w", err)
	}
	if err = d.openHistory(ctx); err != nil {
		return errors.Join(err, d.public.Close(), d.ops.Close()) // nothing was accepted yet
	}
	return nil
}

// listen opens a listener. A literal address is taken at its word: 0.0.0.0 means
// every IPv4 address, not IPv6 as well.
func listen(ctx context.Context, address string) (net.Listener, error) {
	network := "tcp"
	if host, _, err := net.SplitHostPort(address); err == nil {
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() {
			network = "tcp4"
		}
	}
	var config net.ListenConfig
	return config.Listen(ctx, network, address)
}

// publicServer serves clients and backends.
func (d *daemon) publicServer() *http.Server {
	s := d.server(http.HandlerFunc(d.servePublic))
	if d.certificate != nil {
		s.TLSConfig = &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: d.certificate.get,
			// Small records for a fast first byte would make several writes of an
			// event, again after each second of silence.
			DynamicRecordSizingDisabled: true,
		}
	}
	return s
}

// servePublic sends a request to its part: WebSocket upgrades of any path to the
// sockets, which refuse what is not theirs in a way that clients understand.
func (d *daemon) servePublic(w http.ResponseWriter, r *http.Request) {
	switch {
	case ws.IsUpgrade(r):
		d.sockets.ServeHTTP(unwrapping{w}, r)
	case r.URL.Path == "/live":
		answer(w, http.StatusOK, "ok")
	case r.URL.Path == "/ready":
		if len(d.notReady()) > 0 {
			answer(w, http.StatusServiceUnavailable, "not ready")
			return
		}
		answer(w, http.StatusOK, "ok")
	default:
		d.api.ServeHTTP(w, r)
	}
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // the client's loss
}

// opsServer serves the operator: health with reasons, metrics, profiles.
func (d *daemon) opsServer() *http.Server {
	s := d.server(httpapi.NewOps(httpapi.OpsOptions{
		Ready:    d.notReady,
		Details:  d.details,
		Gatherer: d.metrics,
		Pprof:    d.o.Config.Ops.Pprof,
		Log:      d.o.Log,
		Access:   func() httpapi.OpsAccess { return *d.access.Load() },
		API:      httpapi.NewOpsAPI(d.opsAPIOptions()),
	}))
	s.WriteTimeout = 0 // profiles take as long as they are asked to
	return s
}

func (d *daemon) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      bodyTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    d.o.Config.Limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(serverLog{d.o.Log.Handler()}, slog.LevelDebug),
	}
}

// serveHTTP runs a server and returns how to stop it: at once for new
// connections, after a while for requests in flight.
func (d *daemon) serveHTTP(name string, server *http.Server, on net.Listener) (stop func() error) {
	lane := d.fastLane(server, on)
	if lane != nil {
		on = lane
	}
	d.background(name, func() error {
		serve := server.Serve
		if server.TLSConfig != nil {
			serve = func(l net.Listener) error { return server.ServeTLS(netpoll.Under(l), "", "") }
		}
		if err := serve(on); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return func() error {
		return d.withLimit(closeServers, func(ctx context.Context) error {
			err := server.Shutdown(ctx)
			if err != nil {
				err = server.Close() // requests that take longer are cut off
			}
			if lane != nil {
				lane.Wait(ctx)
			}
			return err
		})
	}
}

// fastLane returns the listener that serves triggers before net/http sees them,
// nil where there is none: on the operations listener and with TLS, which
// net/http does itself.
func (d *daemon) fastLane(server *http.Server, on net.Listener) *fastlane.Listener {
	api, ok := d.api.(*httpapi.API)
	if !ok || on != d.public || server.TLSConfig != nil {
		return nil
	}
	return fastlane.New(on, api, fastlane.Limits{
		Head: headerTimeout, Body: bodyTimeout, Write: bodyTimeout, Idle: idleTimeout,
	})
}

// unwrapping gives whoever hijacks a connection the socket below the fast lane.
type unwrapping struct{ http.ResponseWriter }

// Hijack implements http.Hijacker.
func (w unwrapping) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	return fastlane.Unwrap(conn), buffered, err
}

// serverLog takes what net/http has to say about single requests, which is for
// debugging, and about connections that it could not accept, which is for the
// operator: mostly the process has run out of file descriptors.
type serverLog struct{ slog.Handler }

// Enabled implements slog.Handler; the level is only known in Handle.
func (serverLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l serverLog) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "Accept error") {
		r.Level = slog.LevelWarn
	}
	if !l.Handler.Enabled(ctx, r.Level) {
		return nil
	}
	return l.Handler.Handle(ctx, r)
}
