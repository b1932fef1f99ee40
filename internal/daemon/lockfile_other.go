//go:build !unix

package daemon

import (
	"os"
	"path/filepath"
)

// lockFile cannot lock on this system; it is up to the operator that one process
// at a time uses the directory.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o600)
}
