// Package sqlite opens the embedded databases of the server's data directory:
// files of its own, in one format and with one promise. It is the home of the
// SQLite driver, which needs no C compiler; what is kept in a database, and the
// SQL for it, belongs to the package that keeps it.
//
// The promise: what a transaction has committed is on the disk, whatever happens
// to the process or to the machine (WAL with synchronous=FULL). A commit costs a
// flush of the disk, some tenths of a millisecond on a solid state disk, so
// writers gather what comes within a few milliseconds into one transaction.
package sqlite
