//go:build noembedded

package embedded

import (
	"errors"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// Available reports whether this binary has the embedded engine.
const Available = false

// Engine is never made in this binary.
type Engine struct{ broker.Engine }

// New returns an error.
func New(Options) (*Engine, error) {
	return nil, errors.New("embedded: this binary was built without the embedded cluster (build tag noembedded)")
}
