// Command pcoverage tells which test covers which numbered statement of the
// protocol.
//
//	go run ./test/pcoverage                       print number → tests
//	go run ./test/pcoverage -check                fail on a gap or a wrong number
//	go run ./test/pcoverage -write docs/protocol-coverage.md
//
// The statements are those of docs/protocol.md §12. A test covers one by naming
// it in the form P-123 in its name or in a comment; the files read are
// *_test.go, *.mjs and *.js below internal, cmd and test. Ranges do not count:
// each number stands for itself.
//
// later.txt lists statements whose tests come with later work, and why. -check
// fails on a statement with neither a test nor a line there, on a number that
// the protocol does not have, on a line in later.txt that is no longer true, and
// on a table in docs/protocol-coverage.md that is out of date.
package main
