// Package history keeps accepted events so that they can be looked at later: a
// [Log] takes them from the hub, writes them to a database, forgets them when
// their time or their room is up, and answers queries.
//
// The way of an event:
//
//	Append ─► buffer ─► Run: gather ─► read the frame ─► one transaction
//
// Promises:
//
//   - Append copies and encodes nothing, waits for nothing but a short mutex, and
//     never for a database. What waits is bounded in bytes; beyond it events are
//     lost, counted by app and reason, and told in the log once per change.
//   - Events of a channel are kept in the order of the calls, each once, also if a
//     connection to the database breaks in the middle of a commit.
//   - A database that fails is tried again until it works or Close gives up.
//   - A page has all events that were appended before it was asked for, unless
//     the database does not keep up. Pages neither miss nor repeat an event while
//     others are appended or expire.
//   - Data is stored as it was delivered: of encrypted channels the ciphertext.
//
// Databases are SQLite (sqlite.go), the file history.db of the data directory,
// and PostgreSQL (postgres.go), which several servers may share. This package is
// the home of the PostgreSQL driver.
//
// Goroutines: Run is the only one that writes; a driver may have some of its own
// until Close. Lock order: a hub's shard, then buffer.mu, under which nothing
// blocks, logs or calls back.
package history
