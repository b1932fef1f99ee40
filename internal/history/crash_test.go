package history

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// childFile is the variable that makes the test binary a process to be killed.
const childFile = "PIPESOCKETD_TEST_HISTORY_FILE"

// numbered returns an event whose data tells its name again.
func numbered(n int) protocol.Event {
	name := strconv.Itoa(n)
	return protocol.Event{Channel: "c", Name: name, Data: protocol.PayloadOfText(strings.Repeat(name+" ", 20))}
}

// writeUntilKilled appends numbered events and prints how many are written.
func writeUntilKilled(file string) {
	registry, err := apps.NewRegistry(newApp("1", nil))
	if err != nil {
		panic(err)
	}
	l, err := New(Options{Registry: registry, File: file})
	if err != nil {
		panic(err)
	}
	if err := l.Open(context.Background()); err != nil {
		panic(err)
	}
	go func() { _ = l.Run(context.Background()) }()
	page, err := l.Page(context.Background(), hub.HistoryQuery{App: "1", Channel: "c", Limit: 1})
	if err != nil {
		panic(err)
	}
	n := 0
	if len(page.Events) > 0 {
		if n, err = strconv.Atoi(page.Events[0].Name); err != nil {
			panic(err)
		}
		n++
	}
	for {
		for range 50 {
			e := numbered(n)
			l.Append(hub.Accepted{App: registry.ByID("1"), Channel: e.Channel, Frame: e.Encode()})
			n++
		}
		l.buffer.settle(context.Background(), time.Minute)
		fmt.Println(n) //nolint:forbidigo // for the parent process
	}
}

// What was written when the process is killed is there afterwards, without a gap
// and unchanged, and whatever comes next is behind it.
func TestKilledInTheMiddle(t *testing.T) {
	s := sqliteFile(t)
	for round := range 5 {
		written := runAndKill(t, s.path, 5+3*round)
		m := newManual(t, &sqliteStore{path: s.path})
		n := 0
		for page := m.page("c", oldestFirst, limited(1000)); ; page = m.page("c", oldestFirst, limited(1000), after(page.Next)) {
			for _, e := range page.Events {
				if want := numbered(n); e.Name != want.Name || string(e.Data) != string(want.Data) {
					t.Fatalf("event %d is %s with %s", n, e.Name, e.Data)
				}
				n++
			}
			if page.Next == "" {
				break
			}
		}
		if n < written {
			t.Errorf("%d events after %d were written", n, written)
		}
	}
}

// runAndKill kills a process after it has printed some lines, and returns how many
// events it had written by then.
func runAndKill(t *testing.T, file string, lines int) (written int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childFile+"="+file)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(out)
	for i := 0; i < lines && err == nil; i++ {
		var line string
		if line, err = reader.ReadString('\n'); err == nil {
			written, err = strconv.Atoi(strings.TrimSpace(line))
		}
	}
	_ = child.Process.Kill()
	_ = child.Wait() // it was killed
	if err != nil || written == 0 {
		t.Fatalf("%d written, %v", written, err)
	}
	return written
}

// A disk without room is a database that fails; with room again all goes on.
func TestFullDisk(t *testing.T) {
	s := sqliteFile(t)
	f := newFixture(t, s, func(o *Options) { o.BufferBytes = 1 << 20 })
	if err := f.log.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	room := func(pages int) {
		t.Helper()
		if _, err := s.writer.conn.ExecContext(context.WithoutCancel(t.Context()), fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
			t.Fatal(err)
		}
	}
	room(200) // 800 KiB
	f.run()
	add := func(events int) {
		for i := range events {
			f.append("c", fmt.Sprint(i), strings.Repeat("x", 1000))
		}
	}
	add(500)
	f.waitSettled()
	add(500)
	testkit.WaitFor(t, func() bool { return len(f.capture.Find(failsMessage)) == 1 }, "the database to be full")
	if text := f.capture.Find(failsMessage)[0].Attrs["error"]; !strings.Contains(text, "full") {
		t.Errorf("error %q", text)
	}
	add(1000)
	if got := f.metric("events_lost_total", "reason=overflow"); got < 400 || got > 700 {
		t.Errorf("%v lost", got)
	}
	if got := len(f.page("c", limited(1000)).Events); got != 500 {
		t.Errorf("%d events can be read, want 500", got)
	}
	room(1 << 20)
	f.waitSettled()
	f.close()
	if len(f.capture.Find(worksMessage)) != 1 {
		t.Errorf("log\n%s", f.capture)
	}
	if written, lost := f.metric("events_written_total"), f.metric("events_lost_total"); written+lost != 2000 || written < 1300 {
		t.Errorf("%v written, %v lost", written, lost)
	}
}
