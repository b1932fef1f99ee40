//go:build !unix

package bench

// selfUsage is not known here.
func selfUsage() usage { return usage{} }
