// Package daemon puts the server together and takes it apart: it makes every
// part from a configuration, starts them in the order in which they depend on
// each other, and stops them in reverse.
//
// A graceful stop goes: not ready; WebSocket connections closed with 4200 over
// the drain window, while new ones are told the same and backends can still
// publish to those that are left; public listener closed; webhooks flushed; hub
// stopped; history closed; ops listener closed last, so that health and metrics can be watched to
// the end.
// Each step has a time limit, and [Options.Force] cuts all of them short.
package daemon
