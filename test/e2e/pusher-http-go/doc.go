// Package pusherhttpgo tests the built server with the official Go library for
// the HTTP API. It is a module of its own so that the library's requirements
// stay out of the server's.
package pusherhttpgo
