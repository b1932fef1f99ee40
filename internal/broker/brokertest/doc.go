// Package brokertest tests what package broker promises of an engine, whichever
// it is. It is imported by the tests of engines only.
//
// An engine's test calls [TestEngine] with a function that makes a [Setup]: the
// servers of one test, and engines that go through them. Every test has a setup of
// its own and gives each engine's Run an end before it is over, so a gate against
// leaked goroutines belongs into the TestMain of the engine's package.
package brokertest
