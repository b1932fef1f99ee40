package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// storeTimeout is less than the ten seconds for which the sender waits for an
// answer by default.
const storeTimeout = 8 * time.Second

// receiver takes webhooks. It answers 2xx only for what the store has committed;
// after anything else the sender tries again.
type receiver struct {
	verifier *verifier
	store    *store
	maxBody  int64 // bytes
	log      *slog.Logger
}

// ServeHTTP implements http.Handler for POST requests.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, r.maxBody))
	if err != nil {
		r.refuse(w, statusOf(err), err)
		return
	}
	h := req.Header
	hook, err := r.verifier.verify(h.Get("X-Pusher-Key"), h.Get("X-Pusher-Signature"), h.Get("X-Pipesocket-Delivery"), body)
	if err != nil {
		r.refuse(w, statusOf(err), err)
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), storeTimeout)
	defer cancel()
	added, err := r.store.add(ctx, hook)
	if err != nil {
		r.refuse(w, http.StatusInternalServerError, err)
		return
	}
	r.log.Info("stored", "key", hook.Key, "events", len(hook.Events), "new", added, "first", hook.Events[0].Name)
	w.WriteHeader(http.StatusNoContent)
}

// refuse says no more than the status: the reason is for our own log.
func (r *receiver) refuse(w http.ResponseWriter, status int, err error) {
	r.log.Warn("refused", "status", status, "err", err)
	http.Error(w, http.StatusText(status), status)
}

func statusOf(err error) int {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return http.StatusRequestEntityTooLarge
	}
	if errors.Is(err, errSignature) {
		return http.StatusUnauthorized
	}
	return http.StatusBadRequest
}
