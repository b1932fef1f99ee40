// Command pipesocketd is a server that speaks the Pusher Channels protocol.
//
// Without a subcommand it serves. This package owns the command line, the
// process's signals, its logger and its exit code; everything that serves is in
// internal/daemon. Exit codes: 0 is success, 1 a failure at run time, 2 a wrong
// command line or configuration, 130 and 143 a stop forced by a second signal.
package main
