package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/pipesocket/pipesocketd/internal/config"
)

// newLog returns a logger of the configured format. The level may change later.
func newLog(w io.Writer, format string, terminal bool, level slog.Leveler) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	if format == config.LogText || format == config.Auto && terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// isTerminal reports whether file is a character device, as terminals are.
func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
