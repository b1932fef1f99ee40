//go:build !unix

package main

import "errors"

// machineLimits needs /proc besides, so there is no use in another way.
func machineLimits() (limits, error) { return limits{}, errors.New("loads are measured on Linux only") }
