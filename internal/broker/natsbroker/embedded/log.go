//go:build !noembedded

package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
)

const (
	// repeatAfter is how long a line is not repeated that differs in numbers only: a
	// peer that may not join tries once a second.
	repeatAfter = time.Minute

	// maxRemembered bounds the lines that are remembered for that.
	maxRemembered = 64
)

// serverLog passes on what the server says. Its notices are details here; what
// matters of them the mesh says itself.
type serverLog struct {
	log     *slog.Logger
	secrets []string
	fatal   chan string // capacity 1; never closed

	mu   sync.Mutex
	said map[string]time.Time
}

func newServerLog(log *slog.Logger, secrets ...string) *serverLog {
	return &serverLog{log: log, secrets: secrets, fatal: make(chan string, 1), said: make(map[string]time.Time)}
}

func (l *serverLog) debug() bool { return l.log.Enabled(context.Background(), slog.LevelDebug) }

// Noticef implements server.Logger.
func (l *serverLog) Noticef(format string, v ...any) { l.Debugf(format, v...) }

// Debugf implements server.Logger.
func (l *serverLog) Debugf(format string, v ...any) {
	if l.debug() {
		l.log.Debug("embedded NATS server", "text", l.text(format, v))
	}
}

// Tracef implements server.Logger. Traces would hold messages.
func (l *serverLog) Tracef(string, ...any) {}

// Warnf implements server.Logger.
func (l *serverLog) Warnf(format string, v ...any) {
	if strings.HasPrefix(format, "TLS certificate chain and hostname") {
		return // it is verified, see certified
	}
	l.warn(l.text(format, v))
}

// Errorf implements server.Logger.
func (l *serverLog) Errorf(format string, v ...any) { l.warn(l.text(format, v)) }

// Fatalf implements server.Logger: the server expects the process to end.
func (l *serverLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- l.text(format, v):
	default:
	}
}

func (l *serverLog) warn(text string) {
	if l.first(text, time.Now()) {
		l.log.Warn("embedded NATS server", "text", text)
	}
}

// first reports whether a line has not been said for a while.
func (l *serverLog) first(text string, now time.Time) bool {
	key := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return -1
		}
		return r
	}, text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if last, ok := l.said[key]; ok && now.Sub(last) < repeatAfter {
		return false
	}
	if len(l.said) >= maxRemembered {
		clear(l.said)
	}
	l.said[key] = now
	return true
}

func (l *serverLog) text(format string, v []any) string {
	text := fmt.Sprintf(format, v...)
	for _, secret := range l.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "<secret>")
		}
	}
	return text
}
