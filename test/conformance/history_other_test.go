//go:build !linux

package conformance

import (
	"path/filepath"
	"testing"
)

// kept returns the setting of where a history is kept.
func kept(t *testing.T) string {
	t.Helper()
	if usual.nodes > 1 {
		t.Skip("the database of a cluster's history is started on Linux only")
	}
	return inFile(filepath.Join(t.TempDir(), "data"))
}
