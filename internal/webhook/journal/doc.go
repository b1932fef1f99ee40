// Package journal keeps webhooks over the end of the process, whether it was
// stopped, killed or lost its power: what has been told about channels, events
// that are not yet part of a payload, payloads until they are delivered, those
// that were given up (dead letters), and every attempt. A [Journal] is the
// [webhook.Journal] of a server with a data directory; operators look into it by
// List, Show, Replay and Drop.
//
// Promises:
//
//   - Nobody waits for a disk but the journal's own goroutine, the writer. What is
//     to be kept goes into a buffer in memory, and the writer commits all that came
//     within 5 ms, or 512 changes, in one transaction. So what is in the database
//     is always what was handed over up to some moment, without gaps.
//   - A payload is handed out for an attempt once it and everything before it is
//     committed.
//   - What becomes and passes between two commits is never written.
//   - Memory is bounded: a queue has the oldest of its payloads in memory, a MiB
//     of them or some, and the database the rest.
//   - A disk that is full, broken or stuck neither blocks nor ends anything.
//     Payloads go on from memory, within bounds; the fault is logged once and told
//     by Faults and a metric. The writer goes on trying, and goes on writing when
//     it can.
//
// Numbers: ids of payloads, their places in their queue and the sequence numbers
// of events come from one counter. It is the time in microseconds since 1970, or
// one more than the last number if that is later, so a time range is a range of
// ids, and numbers are never given twice.
//
// Goroutines: Open starts one, the writer, and Close ends it. It alone uses the
// database, but for List and Show, which read on connections of their own. A
// queue is used by the goroutine of its lane; the writer sends it messages.
//
// Lock order: Journal.mu, then what [webhook.Journal] calls back; queue.mu is
// taken alone.
package journal
