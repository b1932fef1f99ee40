// Package testkit holds what tests of several packages share: a gate against
// leaked goroutines ([Main]), a reader of server frames that does not trust the
// code that wrote them ([Frames]), a wait for events outside fake time
// ([WaitFor]), a log that can be asserted on ([LogCapture]), processes of the server
// ([Server]), a proxy in front of several ([RoundRobin]) and a database ([Postgres]).
// Engines of clusters and a network that fails are in package test/engines.
//
// It is imported by tests only.
package testkit
