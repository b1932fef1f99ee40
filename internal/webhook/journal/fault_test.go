package journal

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/sqlite"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// disk is a second hold on a journal's file, to spoil it with.
type disk struct {
	tb testing.TB
	*sql.DB
}

func diskOf(tb testing.TB, path string) disk {
	tb.Helper()
	db, err := sqlite.Open(tb.Context(), path, schema)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return disk{tb, db}
}

var changes = []string{"INSERT", "UPDATE", "DELETE"}

var tables = []string{"told", "endpoints", "unsealed", "payloads", "retries", "attempts"}

// fill makes every change fail.
func (d disk) fill() {
	d.tb.Helper()
	for _, table := range tables {
		for _, change := range changes {
			d.exec(fmt.Sprintf("CREATE TRIGGER %s_%s BEFORE %s ON %s BEGIN SELECT RAISE(ABORT, 'disk is full'); END",
				table, change, change, table))
		}
	}
}

// clear lets changes succeed again.
func (d disk) clear() {
	d.tb.Helper()
	for _, table := range tables {
		for _, change := range changes {
			d.exec(fmt.Sprintf("DROP TRIGGER %s_%s", table, change))
		}
	}
}

func (d disk) exec(text string) {
	d.tb.Helper()
	if _, err := d.ExecContext(d.tb.Context(), text); err != nil {
		d.tb.Fatal(err)
	}
}

// What is forgotten while the disk is full stays forgotten, and what is told after
// that stays told.
func TestForgettingOnAFullDisk(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	on := func(channel string) {
		j.Record(webhook.Record{Edge: edgeOf(channel), Change: webhook.GoesOn}, func(int64) {})
	}
	on("a")
	on("b")
	flush(t, j)
	d := diskOf(t, path)
	d.fill()
	l := lane(t, j, hookURL)
	l.put(3)
	testkit.WaitFor(t, func() bool { return len(j.Faults()) == 1 }, "the fault to show")
	on("c")
	j.ForgetAll()
	on("b")
	l.put(1)
	testkit.WaitFor(t, func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return j.next.count == 0
	}, "the writer to try once more")
	on("d")
	d.clear()
	testkit.WaitFor(t, func() bool { return len(j.Faults()) == 0 }, "writing to go on")
	flush(t, j)
	j = open(t, crash(t, path), Options{})
	want(t, "told", j.Told(), []hub.Edge{edgeOf("b"), edgeOf("d")})
}

func TestFullDisk(t *testing.T) {
	path := file(t)
	log := &testkit.LogCapture{}
	j := open(t, path, Options{Log: log.Logger()})
	l := lane(t, j, hookURL)
	l.put(2)
	flush(t, j)
	d := diskOf(t, path)
	d.fill()
	l.put(3)
	testkit.WaitFor(t, func() bool { return len(j.Faults()) == 1 }, "the fault to show")
	if fault := j.Faults()[0]; !strings.Contains(fault, "disk is full") {
		t.Errorf("fault %q", fault)
	}
	j.Record(webhook.Record{Edge: edgeOf("c"), Change: webhook.GoesOn}, func(int64) {})
	record(j, l, "unsealed")
	delivered := []string{string(l.pop().Body)} // committed before
	for range 3 {                               // and one that never was
		p := l.pop()
		delivered = append(delivered, string(p.Body))
		l.Done(p)
	}
	want(t, "delivered from memory", delivered, []string{"body 1", "body 2", "body 3", "body 4"})
	if _, err := j.Drop(t.Context(), Filter{App: "1"}); err == nil {
		t.Error("a command succeeded")
	}
	d.clear()
	testkit.WaitFor(t, func() bool { return len(j.Faults()) == 0 }, "writing to go on")
	want(t, "log of the fault", len(log.Find("webhook journal cannot be written; webhooks go on without being kept")), 1)
	want(t, "log of its end", len(log.Find("webhook journal is written again")), 1)
	flush(t, j)
	j = open(t, crash(t, path), Options{})
	l = lane(t, j, hookURL)
	want(t, "left", l.all(), []string{"body 1", "body 5"})
	want(t, "unsealed", texts(l.Unsealed()), []string{"unsealed"})
	want(t, "told", j.Told(), []hub.Edge{edgeOf("c")})
}

// What cannot be written takes no more memory than is allowed, and what had to be
// given up is counted.
func TestFullDiskAndMemory(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{BufferBytes: 64 << 10, WindowBytes: 8 << 10})
	l := lane(t, j, hookURL)
	l.put(1)
	flush(t, j)
	d := diskOf(t, path)
	d.fill()
	l.put(1)
	testkit.WaitFor(t, func() bool { return len(j.Faults()) == 1 }, "the fault to show")
	dropped := 0
	for n := range 1000 {
		p := payload(100 + n)
		p.Body = append(p.Body, make([]byte, 1000)...)
		j.Record(webhook.Record{Events: []webhook.RecordedEvent{{Queue: l.queue, JSON: p.Body}}}, func(s int64) { p.Seq = s })
		dropped += len(l.Put(p))
	}
	if l.held > 66<<10 {
		t.Errorf("%d bytes of payloads are in memory", l.held)
	}
	want(t, "dropped and waiting", dropped+l.Waiting().Payloads, 1002)
	j.mu.Lock()
	bytes := j.next.bytes
	j.mu.Unlock()
	if bytes > 200<<10 {
		t.Errorf("%d bytes wait to be written", bytes)
	}
	d.clear()
	testkit.WaitFor(t, func() bool { return len(j.Faults()) == 0 }, "writing to go on")
	before := l.Waiting().Payloads
	l.n = 5000
	l.put(1)
	var last string
	for range before + 1 {
		p := l.pop()
		last = string(p.Body)
		l.Done(p)
	}
	want(t, "the newest", last, "body 5001")
}

// A disk that does not answer holds up neither puts nor deliveries.
func TestStuckDisk(t *testing.T) {
	path := file(t)
	log := &testkit.LogCapture{}
	j := open(t, path, Options{Log: log.Logger()})
	l := lane(t, j, hookURL)
	flush(t, j)
	d := diskOf(t, path)
	tx, err := d.BeginTx(t.Context(), nil) // takes the lock for writing
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	l.put(2)
	p := l.pop()
	if took := time.Since(began); took < stuckAfter {
		t.Errorf("handed out after %v without a commit", took)
	}
	l.Done(p)
	if faults := j.Faults(); len(faults) != 1 {
		t.Errorf("faults %q", faults)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	flush(t, j)
	want(t, "faults afterwards", len(j.Faults()), 0)
	want(t, "log of the fault", len(log.Find("webhook journal: the disk does not answer; webhooks go on without being kept")), 1)
	want(t, "left", lane(t, open(t, crash(t, path), Options{}), hookURL).all(), []string{"body 2"})
}

// What cannot be read waits, and what comes later goes on.
func TestUnreadablePayloads(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{WindowBytes: 20})
	l := lane(t, j, hookURL)
	bodies := l.put(20)
	flush(t, j)
	l.Waiting() // leaves most to the database
	d := diskOf(t, path)
	d.exec("UPDATE payloads SET time_ms = 'nonsense' WHERE place = (SELECT place FROM payloads ORDER BY place LIMIT 1 OFFSET 15)")
	bodies = append(slices.Delete(bodies, 15, 16), l.put(1)...)
	var got []string
	for range bodies {
		p := l.pop()
		got = append(got, string(p.Body))
		l.Done(p)
	}
	want(t, "the others", got, bodies)
	want(t, "waiting", l.Waiting().Payloads, 1)
}

// Close tells what it could not write.
func TestCloseWithAFault(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l := lane(t, j, hookURL)
	d := diskOf(t, path)
	d.fill()
	l.put(1)
	err := j.Close(context.WithoutCancel(t.Context()))
	if err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("error %v", err)
	}
}
