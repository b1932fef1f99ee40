package testkit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
)

// LogCapture keeps every log record of all levels, for tests to assert on. Its
// zero value is ready; it may be used concurrently and must not be copied.
type LogCapture struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// LogRecord is one captured record. Attributes stand as text, those of a group
// under GROUP.KEY.
type LogRecord struct {
	Level   string
	Message string
	Attrs   map[string]string
}

// Handler returns a handler that writes into the capture.
func (c *LogCapture) Handler() slog.Handler {
	return slog.NewJSONHandler(c, &slog.HandlerOptions{Level: slog.LevelDebug - 100})
}

// Logger returns a logger that writes into the capture.
func (c *LogCapture) Logger() *slog.Logger { return slog.New(c.Handler()) }

// Write implements io.Writer for the handler.
func (c *LogCapture) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.Write(line)
}

// String returns the whole log as JSON lines, for assertions on what must not
// be in it.
func (c *LogCapture) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.buf.String()
}

// Records returns the records so far, oldest first.
func (c *LogCapture) Records() []LogRecord {
	var records []LogRecord
	for line := range strings.Lines(c.String()) {
		records = append(records, parseRecord(line))
	}
	return records
}

// Find returns the records with the message, oldest first.
func (c *LogCapture) Find(message string) []LogRecord {
	var found []LogRecord
	for _, r := range c.Records() {
		if r.Message == message {
			found = append(found, r)
		}
	}
	return found
}

func parseRecord(line string) LogRecord {
	var fields map[string]any
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber() // integers keep their digits
	if err := decoder.Decode(&fields); err != nil {
		panic(fmt.Sprintf("slog wrote a line that is not JSON: %v: %q", err, line))
	}
	r := LogRecord{Attrs: make(map[string]string)}
	r.Level, _ = fields[slog.LevelKey].(string)
	r.Message, _ = fields[slog.MessageKey].(string)
	delete(fields, slog.TimeKey)
	delete(fields, slog.LevelKey)
	delete(fields, slog.MessageKey)
	flatten(r.Attrs, "", fields)
	return r
}

func flatten(into map[string]string, prefix string, fields map[string]any) {
	for key, value := range fields {
		if group, ok := value.(map[string]any); ok {
			flatten(into, prefix+key+".", group)
			continue
		}
		into[prefix+key] = fmt.Sprint(value)
	}
}
