package conformance

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// kept returns the setting of where a history is kept: in a file, or for several
// nodes in a database that they share.
func kept(t *testing.T) string {
	t.Helper()
	if usual.nodes == 1 {
		return inFile(filepath.Join(t.TempDir(), "data"))
	}
	database := testkit.NewPostgres(t)
	database.Start()
	return fmt.Sprintf("history: {database: %q}\n", database.URL())
}
