package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// developmentKeys is the pair that pipesocketd serves without a configuration.
const developmentKeys = "app-key:app-secret"

type options struct {
	listen, page, database string
	keys                   string // key:secret,…
	maxBody                int64
	maxAge                 time.Duration
}

func main() {
	o := options{keys: os.Getenv("RECEIVER_KEYS")}
	flag.StringVar(&o.listen, "listen", "127.0.0.1:8090", "where webhooks arrive, at /webhook")
	flag.StringVar(&o.page, "page", "127.0.0.1:8091", "where the history page is served, without any login")
	flag.StringVar(&o.database, "database", "sqlite:history.db", "sqlite:FILE or postgres://user@host/name; PGPASSWORD may hold its password")
	flag.Int64Var(&o.maxBody, "max-body", 1<<20, "bytes of the largest webhook to take")
	flag.DurationVar(&o.maxAge, "max-age", 5*time.Minute, "how far time_ms may be from now; 0 for any")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := run(ctx, o, log); err != nil {
		log.Error("ended", "err", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It prints a line once both addresses are open.
func run(ctx context.Context, o options, log *slog.Logger) error {
	secrets, err := readKeys(o)
	if err != nil {
		return err
	}
	s, err := openStore(ctx, o.database)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }()

	hooks := http.NewServeMux()
	hooks.Handle("POST /webhook", &receiver{
		verifier: &verifier{secrets: secrets, maxAge: o.maxAge, now: time.Now},
		store:    s, maxBody: o.maxBody, log: log,
	})
	in, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	out, err := net.Listen("tcp", o.page)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	fmt.Printf("webhook-receiver ready: webhooks=http://%s/webhook page=http://%s/\n", in.Addr(), out.Addr())
	return serve(ctx, map[net.Listener]http.Handler{in: hooks, out: newPage(s, log)})
}

// serve runs a server per listener until ctx ends or one of them fails, and then
// lets requests under way finish.
func serve(ctx context.Context, handlers map[net.Listener]http.Handler) error {
	failed := make(chan error, len(handlers))
	var servers []*http.Server
	for listener, handler := range handlers {
		srv := &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       10 * time.Second,
			WriteTimeout:      20 * time.Second,
			IdleTimeout:       2 * time.Minute, // longer than the sender keeps connections
		}
		servers = append(servers, srv)
		go func() { failed <- srv.Serve(listener) }()
	}
	var err error
	left := len(servers)
	select {
	case <-ctx.Done():
	case err = <-failed:
		left--
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for _, srv := range servers {
		err = errors.Join(err, srv.Shutdown(patience))
	}
	for range left {
		if ended := <-failed; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
	}
	return err
}

// readKeys returns the secrets by key.
func readKeys(o options) (map[string]string, error) {
	pairs := o.keys
	if pairs == "" {
		if address, err := netip.ParseAddrPort(o.listen); err != nil || !address.Addr().IsLoopback() {
			return nil, errors.New("RECEIVER_KEYS is needed unless -listen is a loopback address: key:secret,…")
		}
		pairs = developmentKeys
	}
	secrets := make(map[string]string)
	for pair := range strings.SplitSeq(pairs, ",") {
		key, secret, _ := strings.Cut(pair, ":")
		if key == "" || secret == "" {
			return nil, errors.New("RECEIVER_KEYS is not of the form key:secret,key:secret")
		}
		secrets[key] = secret
	}
	return secrets, nil
}
