//go:build !linux

package bench

func newEngine(f *fleet, _ bool) (engine, error) { return newPortable(f), nil }
