package journal

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// busy writes payloads, in so many commits, each of fifty pages and some.
func (l *laneOf) busy(j *Journal, commits int) {
	l.tb.Helper()
	for range commits {
		l.n++
		p := payload(l.n)
		p.Body = append(p.Body, make([]byte, 50*4096)...)
		l.Put(p)
		flush(l.tb, j)
	}
}

// waiting returns how many pages are in the write-ahead log only.
func (d disk) waiting() int {
	d.tb.Helper()
	var busy, all, copied int
	row := d.QueryRowContext(d.tb.Context(), "PRAGMA wal_checkpoint(NOOP)")
	if err := row.Scan(&busy, &all, &copied); err != nil {
		d.tb.Fatal(err)
	}
	return all - copied
}

func TestWriteAheadLogBeginsAnew(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l, d := lane(t, j, hookURL), diskOf(t, path)
	l.busy(j, 120)
	if n := d.waiting(); n > 2*walPages {
		t.Errorf("%d pages wait to be copied", n)
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(2 * walPages * 4200); info.Size() > most { // what was written is three times as much
		t.Errorf("the log has %d bytes, want at most %d", info.Size(), most)
	}
}

// While somebody reads an old state the log cannot begin anew. It grows, and is
// copied when that is over.
func TestWriteAheadLogIsRead(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l, d := lane(t, j, hookURL), diskOf(t, path)
	l.busy(j, 1)
	reader, err := d.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	reading, err := reader.QueryContext(t.Context(), "SELECT a.id FROM endpoints a, endpoints b, payloads")
	if err != nil || !reading.Next() { // so it has not ended
		t.Fatal(err, reading.Err())
	}
	l.busy(j, 60)
	if n := d.waiting(); n < 2*walPages {
		t.Errorf("%d pages wait beside a reader: more than it leaves was copied", n)
	}
	if err := reading.Close(); err != nil {
		t.Fatal(err)
	}
	l.busy(j, 60)
	if n := d.waiting(); n > 2*walPages {
		t.Errorf("%d pages wait after the reader has ended", n)
	}
}

// A commit starts in time for what payloads wait for, whatever else is to be
// written, and however long the writer was busy with something else.
func TestCommitsArePlannedForTheMostUrgent(t *testing.T) {
	j := open(t, file(t), Options{})
	l := lane(t, j, hookURL)
	l.put(2)
	done := []*webhook.Payload{l.pop(), l.pop()}
	flush(t, j)
	occupied, release := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- j.order(context.Background(), &command{ //nolint:usetesting // it is awaited below
			run:  func(*writer) error { close(occupied); <-release; return nil },
			done: make(chan error, 1),
		})
	}()
	<-occupied
	due := func() time.Time {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.due
	}
	before := time.Now()
	l.Done(done[0])
	lazy := due()
	if lazy.Before(before.Add(lazyDelay)) {
		t.Errorf("what can wait is due after %v", lazy.Sub(before))
	}
	l.put(1)
	urgent := due()
	if latest := time.Now().Add(groupDelay); urgent.After(latest) {
		t.Errorf("a payload is due %v too late", urgent.Sub(latest))
	}
	l.Done(done[1])
	l.put(1)
	if got := due(); !got.Equal(urgent) {
		t.Errorf("what came later has moved it by %v", got.Sub(urgent))
	}
	close(release)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	l.pop()
	if got := due(); !got.IsZero() {
		t.Errorf("nothing is to be written, and that is due at %v", got)
	}
}
