// Package broker says what an engine between nodes has to do, and in which words
// nodes talk over it. The engines are the packages below it; package cluster uses
// one without knowing which.
//
// An [Engine] carries messages at most once, keeps the order of one sender on one
// lane, and says when its link goes down or comes up. Everything else is made of
// that by package cluster: nothing that nodes have to agree on is kept in an
// engine, so one that restarts empty, or fails over to a replica that has missed
// something, has lost no state.
package broker
