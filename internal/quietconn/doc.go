// Package quietconn reads and writes sockets without telling the scheduler of each
// system call.
//
// Go's sockets are non-blocking, so none of these calls can wait. Announcing them
// as if they might wakes the runtime's monitor, which looks for threads that are
// stuck every 20 µs for as long as anything goes on: on a node that sends to others
// and hears from them a thousand times a second that was a fifth of its CPU time.
package quietconn
