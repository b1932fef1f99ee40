package journal

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// writeForever is the environment variable that makes the test binary a process
// to be killed: it names the journal to write.
const writeForever = "PIPESOCKETD_TEST_JOURNAL"

// writeUntilKilled puts payloads and delivers some of them. It prints what it may
// be sure of: "+7" once payload 7 was handed out, so it was committed; "-7" once
// it was delivered.
func writeUntilKilled(path string) {
	j, err := Open(context.Background(), path, Options{WindowBytes: 4 << 10})
	if err != nil {
		panic(err)
	}
	wake := make(chan struct{}, 1)
	q := j.OpenQueue(webhook.QueueSpec{App: "1", URL: hookURL, MaxBytes: 1 << 30, Wake: func() { signal(wake) }})
	next := 1
	if len(os.Args) > 1 {
		next, _ = strconv.Atoi(os.Args[len(os.Args)-1])
	}
	for {
		for range rand.IntN(20) {
			q.Put(payload(next))
			next++
		}
		for p := q.Pop(time.Now(), webhook.TurnFirst); p != nil; p = q.Pop(time.Now(), webhook.TurnFirst) {
			n := number(p)
			fmt.Fprintf(os.Stdout, "+%d\n", n)
			if n%3 != 0 {
				fmt.Fprintf(os.Stdout, "-%d\n", n)
				q.Done(p)
			}
		}
		if rand.IntN(2) == 0 {
			<-wake
		}
	}
}

func number(p *webhook.Payload) int {
	n, err := strconv.Atoi(strings.TrimPrefix(string(p.Body), "body "))
	if err != nil {
		panic(err)
	}
	return n
}

// What was handed out before a process was killed, and not delivered, is there
// afterwards, in order; what was delivered may come once more.
func TestKilledProcesses(t *testing.T) {
	path := file(t)
	expected := make(map[int]bool) // true: must be there; false: may be there
	next := 1
	for round := range 6 {
		highest := killed(t, path, next, expected)
		next = highest + 1_000_000 // more than it can have put and not handed out
		checkAfterKill(t, path, expected, round)
	}
}

// killed runs a process until it has written for a while, and kills it.
func killed(t *testing.T, path string, next int, expected map[int]bool) (highest int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], strconv.Itoa(next))
	cmd.Env = append(os.Environ(), writeForever+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	kill := time.AfterFunc(time.Hour, func() {})
	for first := true; lines.Scan(); first = false {
		if first {
			kill = time.AfterFunc(rand.N(150*time.Millisecond), func() { _ = cmd.Process.Kill() })
		}
		text := lines.Text()
		n, err := strconv.Atoi(text[1:])
		if err != nil {
			break // cut off
		}
		expected[n] = text[0] == '+'
		highest = max(highest, n)
	}
	kill.Stop()
	_ = cmd.Wait()
	if highest == 0 {
		t.Fatal("the process wrote nothing")
	}
	return highest
}

func checkAfterKill(t *testing.T, path string, expected map[int]bool, round int) {
	t.Helper()
	j := open(t, path, Options{})
	defer shut(t, j)
	l := lane(t, j, hookURL)
	there := make(map[int]bool)
	last := 0
	var popped []*webhook.Payload
	for l.Waiting().Payloads > 0 {
		p := l.pop()
		n := number(p)
		if n <= last {
			t.Fatalf("round %d: %d after %d", round, n, last)
		}
		if want := fmt.Sprint("signature ", n); p.Signature != want || p.Events != 1 || p.Channels[0] != uint64(n) {
			t.Fatalf("round %d: payload %d was changed: %+v", round, n, p)
		}
		there[n], last = true, n
		popped = append(popped, p)
	}
	for n, must := range expected {
		if must && !there[n] {
			t.Errorf("round %d: payload %d is lost", round, n)
		}
	}
	for _, p := range popped {
		if number(p)%7 == 0 {
			l.Done(p)
			delete(expected, number(p))
		}
	}
	flush(t, j)
}
