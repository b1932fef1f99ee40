//go:build !unix

package bench

// needDescriptors does nothing where there is no such limit.
func needDescriptors(int) error { return nil }
