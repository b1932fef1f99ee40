package journal

import (
	"context"
	"database/sql"
	"fmt"
)

const (
	// walPages is the size of the write-ahead log, in pages of 4 KiB, from which it
	// is copied into the database, so that it begins anew. It is SQLite's own.
	walPages = 1000
	// walMost is the size from which that waits for no better moment any more.
	walMost = 4 * walPages
	// walBytes is the size that its file is cut back to after a burst.
	walBytes = 16 << 20
	// walAsked is after how many pages, about, its size is looked at. A commit counts
	// as walCommit of them and those that its bytes fill: an index grows too.
	walAsked  = walPages / 4
	walCommit = 8
	walPage   = 2 << 10
)

// wal is what is known of the write-ahead log. It belongs to the writer.
type wal struct {
	since  int  // pages, about, since its size was looked at
	left   int  // pages that were not copied the last time, as somebody was reading
	failed bool // the last time
}

// setWAL tells SQLite what it is to do with the log by itself.
func setWAL(conn *sql.Conn) error {
	_, err := conn.ExecContext(context.Background(),
		fmt.Sprintf("PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d", walBytes))
	return err
}

// grown counts a commit in.
func (l *wal) grown(bytes int) { l.since += walCommit + bytes/walPage }

// checkpoint copies the write-ahead log into the database once it is large.
// SQLite would do so within a commit, once in a hundred of them, and the payloads
// of that commit would wait several times as long as those of others. So it is
// done when they are handed out, and if it can be while none wait for the next
// commit.
func (w *writer) checkpoint() {
	if w.conn == nil || w.again > 0 || w.wal.since < walAsked {
		return
	}
	err := w.watched(w.emptyWAL)
	if err != nil && !w.wal.failed {
		w.j.o.Log.Warn("webhook journal: the write-ahead log cannot be emptied", "error", err)
	}
	w.wal.failed = err != nil
}

func (w *writer) emptyWAL() error {
	left, err := w.logged("NOOP")
	more := left - w.wal.left
	if err == nil && more >= walPages {
		if more < walMost && w.j.hurried() {
			return nil // after the next commit, perhaps
		}
		w.wal.left, err = w.logged("PASSIVE")
	}
	w.wal.since = 0
	return err
}

// logged makes a checkpoint in one of SQLite's modes and returns how many pages
// are in the log and not in the database then.
func (w *writer) logged(mode string) (pages int, err error) {
	var busy, all, copied int
	row := w.conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint("+mode+")")
	err = row.Scan(&busy, &all, &copied)
	return all - copied, err
}

// hurried reports whether there are payloads that wait for the next commit.
func (j *Journal) hurried() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.urgent
}
