package journal

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Filter selects payloads. Fields that are zero select all.
type Filter struct {
	IDs      []int64
	App      string
	Endpoint string    // its URL, or that without credentials and query
	State    State     // Waiting or Dead
	From, To time.Time // when it was sealed: from From on, before To

	upTo int64 // the highest id; 0: no bound
}

// Page says which part of a list is wanted.
type Page struct {
	After int64 // the last id of the page before; 0: from the beginning
	Limit int   // 0: 100; at most 1000
}

// Entry is a payload in the journal.
type Entry struct {
	ID       int64
	App      string
	Endpoint string // URL without credentials and query
	State    State
	Sealed   time.Time
	Events   int
	Bytes    int       // of the body
	Failures int       // attempts so far
	Due      time.Time // of the next attempt; zero if that is as soon as possible, or never
	Died     time.Time // zero unless it is dead
	Reason   string    // why it is dead
}

// Attempt is an attempt in the journal.
type Attempt struct {
	Payload  int64
	App      string
	Endpoint string
	At       time.Time
	Took     time.Duration
	Outcome  string
	Status   int    // 0 without an answer
	Answer   []byte // the beginning of its body
	Error    string // "" with an answer
}

// Detail is all that the journal has of one payload.
type Detail struct {
	Entry    *Entry // nil if the payload was delivered or dropped
	Body     []byte
	Attempts []Attempt // those that are kept, oldest first
}

// ErrNotFound says that the journal knows nothing of an id.
var ErrNotFound = errors.New("no such webhook payload")

// ErrNoSelection says that a filter without any field was given to Replay or Drop.
var ErrNoSelection = errors.New("nothing selects the webhook payloads")

const (
	listLimit    = 100
	longestList  = 1000
	commandCount = 500 // payloads that one transaction of a command changes
)

// List returns payloads by id, which is by the time of their sealing. What the
// last milliseconds have changed may not show yet.
func (j *Journal) List(ctx context.Context, f Filter, p Page) ([]Entry, error) {
	where, args := f.where()
	limit := p.Limit
	if limit <= 0 {
		limit = listLimit
	}
	args = append(args, p.After, min(limit, longestList))
	var all []Entry
	err := each(ctx, j.db, func(rows *sql.Rows) error {
		e, err := scanEntry(rows)
		all = append(all, e)
		return err
	}, selectEntries+f.index()+joinEntries+where+" AND p.id > ? ORDER BY p.id LIMIT ?", args...)
	if err != nil {
		return nil, fmt.Errorf("list webhook payloads: %w", err)
	}
	return all, nil
}

const (
	selectEntries = `SELECT p.id, e.app, e.label, p.state, p.id / 1000, p.events, p.bytes,
		COALESCE(r.failures, 0), COALESCE(r.due, 0), p.died, p.reason FROM payloads p`
	joinEntries = ` JOIN endpoints e ON e.id = p.endpoint LEFT JOIN retries r ON r.payload = p.id WHERE `
)

// index makes SQLite use the index of the dead, which are few among many.
func (f Filter) index() string {
	if f.State == Dead {
		return " INDEXED BY payloads_dead"
	}
	return ""
}

// where returns the condition and its arguments.
func (f Filter) where() (string, []any) {
	conditions := []string{"true"}
	var args []any
	add := func(condition string, values ...any) {
		conditions, args = append(conditions, condition), append(args, values...)
	}
	if len(f.IDs) > 0 {
		conditions = append(conditions, "p.id IN (?"+strings.Repeat(", ?", len(f.IDs)-1)+")")
		for _, id := range f.IDs {
			args = append(args, id)
		}
	}
	if f.App != "" {
		add("e.app = ?", f.App)
	}
	if f.Endpoint != "" {
		hash := sha256.Sum256([]byte(f.Endpoint))
		add("(e.label = ? OR e.url = ?)", f.Endpoint, hash[:])
	}
	switch f.State {
	case Waiting:
		add("p.state = 1")
	case Dead:
		add("p.state = 2")
	case absent: // any
	}
	if !f.From.IsZero() {
		add("p.id >= ?", f.From.UnixMicro())
	}
	if !f.To.IsZero() {
		add("p.id < ?", f.To.UnixMicro())
	}
	if f.upTo != 0 {
		add("p.id <= ?", f.upTo)
	}
	return strings.Join(conditions, " AND "), args
}

func scanEntry(rows *sql.Rows) (e Entry, err error) {
	var state int
	var sealed, due, died int64
	err = rows.Scan(&e.ID, &e.App, &e.Endpoint, &state, &sealed, &e.Events, &e.Bytes, &e.Failures, &due, &died, &e.Reason)
	e.State, e.Sealed, e.Died = State(state), time.UnixMilli(sealed), milli(died)
	if e.State == Waiting {
		e.Due = milli(due)
	}
	return e, err
}

func milli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

// Show returns what the journal has of a payload, also of one that was delivered
// as long as its attempts are kept.
func (j *Journal) Show(ctx context.Context, id int64) (*Detail, error) {
	d := &Detail{}
	all, err := j.List(ctx, Filter{IDs: []int64{id}}, Page{})
	if err != nil {
		return nil, err
	}
	if len(all) > 0 {
		d.Entry = &all[0]
		row := j.db.QueryRowContext(ctx, "SELECT body FROM payloads WHERE id = ?", id)
		if err := row.Scan(&d.Body); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("show webhook payload: %w", err)
		}
	}
	if d.Attempts, err = j.attemptsOf(ctx, id); err != nil {
		return nil, fmt.Errorf("show webhook payload: %w", err)
	}
	if d.Entry == nil && len(d.Attempts) == 0 {
		return nil, ErrNotFound
	}
	return d, nil
}

func (j *Journal) attemptsOf(ctx context.Context, id int64) (all []Attempt, err error) {
	err = each(ctx, j.db, func(rows *sql.Rows) error {
		a := Attempt{Payload: id}
		var at, took int64
		err := rows.Scan(&a.App, &a.Endpoint, &at, &took, &a.Outcome, &a.Status, &a.Answer, &a.Error)
		a.At, a.Took = time.UnixMilli(at), time.Duration(took)*time.Microsecond
		all = append(all, a)
		return err
	}, `SELECT e.app, e.label, a.at, a.took, a.outcome, a.status, a.answer, a.error
		FROM attempts a JOIN endpoints e ON e.id = a.endpoint WHERE a.payload = ? ORDER BY a.id`, id)
	return all, err
}

// Replay makes dead letters wait again, behind what waits already, and returns
// how many. They are sealed anew, as of then. Those whose endpoint the
// configuration does not have any more wait until it has. An error may come after
// some.
func (j *Journal) Replay(ctx context.Context, f Filter) (int, error) {
	f.State = Dead
	return j.inSteps(ctx, f, (*writer).revive)
}

// Drop forgets payloads, waiting ones and dead ones, and returns how many. One
// that is being attempted is not attempted again. An error may come after some.
func (j *Journal) Drop(ctx context.Context, f Filter) (int, error) {
	return j.inSteps(ctx, f, (*writer).drop)
}

// inSteps lets the writer do something with all that a filter selects, some at a
// time so that it can do other work between.
func (j *Journal) inSteps(ctx context.Context, f Filter, do func(*writer, []int64, int64) (int, error)) (int, error) {
	if len(f.IDs) == 0 && f.App == "" && f.Endpoint == "" && f.From.IsZero() && f.To.IsZero() {
		return 0, ErrNoSelection
	}
	if err := j.settle(ctx); err != nil {
		return 0, err
	}
	j.mu.Lock()
	f.upTo = j.seq // what comes later is not meant
	j.mu.Unlock()
	total, after := 0, int64(0)
	for {
		page, err := j.List(ctx, f, Page{After: after, Limit: commandCount})
		if err != nil || len(page) == 0 {
			return total, err
		}
		ids := make([]int64, len(page))
		for i, e := range page {
			ids[i] = e.ID
		}
		after = ids[len(ids)-1]
		c := &command{places: len(ids), done: make(chan error, 1)}
		n := 0
		c.run = func(w *writer) (err error) {
			n, err = do(w, ids, c.first)
			return err
		}
		if err := j.order(ctx, c); err != nil {
			return total, err
		}
		total += n
	}
}

// settle returns when all changes so far are in the database.
func (j *Journal) settle(ctx context.Context) error {
	return j.order(ctx, &command{run: func(*writer) error { return nil }, done: make(chan error, 1)})
}

// order hands a command to the writer and waits for it.
func (j *Journal) order(ctx context.Context, c *command) error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return errors.New("the webhook journal is closed")
	}
	j.next.commands = append(j.next.commands, c)
	j.writeLocked(groupDelay)
	j.mu.Unlock()
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
