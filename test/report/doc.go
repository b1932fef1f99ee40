// Command report runs the steps of the test run and counts what they did.
//
//	report step -dir DIR -name NAME [-kind check|go|node] -- COMMAND ARG…
//	report summary -dir DIR -expect NAME,NAME,…
//	report total -dir DIR -expect NAME,NAME,…
//
// A step runs one command, shows its progress and writes DIR/NAME.json. A check
// counts as one: passed if the command ends with status 0. A go step reads the
// events of "go test -json", a node step the TAP report of Node's test runner;
// both count leaves: a test with subtests is not counted beside them.
//
// Skipped tests are counted apart. With CI=true in the environment a skipped
// test is a failure unless its message contains a reason listed in skips.txt.
//
// summary prints a table of all steps, total the one line "N passed, N failed".
// Both end with status 1 if anything failed, if an expected step left no result
// or if nothing passed.
package main
