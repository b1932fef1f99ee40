package testkit

import (
	"net/http"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package and fails if they leave goroutines behind.
// Call it from TestMain of every package that starts goroutines. Idle
// connections of [http.DefaultTransport] are closed first; goleak itself knows
// those of the runtime and of package testing.
func Main(m *testing.M, options ...goleak.Option) {
	goleak.VerifyTestMain(closingIdle{m}, options...)
}

// closingIdle closes what the HTTP client keeps open on purpose.
type closingIdle struct{ m goleak.TestingM }

// Run implements goleak.TestingM.
func (c closingIdle) Run() int {
	code := c.m.Run()
	http.DefaultClient.CloseIdleConnections()
	return code
}
