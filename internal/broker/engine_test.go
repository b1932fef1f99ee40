package broker_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// One node has one name, wherever it is printed.
func TestNodeIDsAreHexDigits(t *testing.T) {
	const id = broker.NodeID(0x00c0000000000001)
	const want = "00c0000000000001"
	if got := id.String(); got != want {
		t.Errorf("String returns %q", got)
	}
	if got, err := json.Marshal(map[string]broker.NodeID{"id": id}); err != nil || string(got) != `{"id":"`+want+`"}` {
		t.Errorf("JSON: %s, %v", got, err)
	}
	var out bytes.Buffer
	for name, log := range map[string]slog.Handler{
		"json": slog.NewJSONHandler(&out, nil),
		"text": slog.NewTextHandler(&out, nil),
	} {
		out.Reset()
		slog.New(log).Info("node has come", "node", id)
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s: logged %s", name, &out)
		}
	}
}
