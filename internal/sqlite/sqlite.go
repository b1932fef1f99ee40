package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// busyTimeout is how long a statement waits for another process that writes,
// such as a backup.
const busyTimeout = 5 * time.Second

// Open opens the database in a file, makes it if there is none, and brings it to
// the newest schema: schema[n] is the SQL that leads from version n to n+1, in
// one transaction. Steps that have been released must not be changed. A database
// of a newer version than len(schema), or of another program, is refused.
//
// The directory must exist. The file gets the permissions 0600: it holds what
// users have sent.
func Open(ctx context.Context, path string, schema []string) (*sql.DB, error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := migrate(ctx, db, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	return db, nil
}

// create makes an empty file if there is none, since the driver would make one
// that others can read.
func create(path string) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// dsn returns the name under which the driver opens the file. The settings apply
// to each connection of the pool. auto_vacuum comes first, as it has an effect only
// before the file has content.
func dsn(path string) string {
	settings := url.Values{
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds()),
			"auto_vacuum(INCREMENTAL)",
			"journal_mode(WAL)",
			"synchronous(FULL)",
			"foreign_keys(ON)",
		},
		"_txlock": {"immediate"}, // a transaction that will write waits at its start, where nothing is lost by it
	}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: settings.Encode()}).String()
}

// migrate takes the steps that are missing.
func migrate(ctx context.Context, db *sql.DB, schema []string) error {
	var version int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if version > len(schema) {
		return fmt.Errorf("it has version %d, and this release knows versions up to %d", version, len(schema))
	}
	if err := checkEmpty(ctx, db, version); err != nil {
		return err
	}
	for ; version < len(schema); version++ {
		if err := step(ctx, db, schema[version], version+1); err != nil {
			return fmt.Errorf("change to version %d: %w", version+1, err)
		}
	}
	return nil
}

// checkEmpty refuses a database that has content and no version: it is of another
// program.
func checkEmpty(ctx context.Context, db *sql.DB, version int) error {
	if version > 0 {
		return nil
	}
	var tables int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables); err != nil {
		return err
	}
	if tables > 0 {
		return errors.New("it belongs to another program")
	}
	return nil
}

func step(ctx context.Context, db *sql.DB, statements string, version int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	if _, err := tx.ExecContext(ctx, statements); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}
