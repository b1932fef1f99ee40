package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/sqlite"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var schema = []string{
	"CREATE TABLE a (n INTEGER); INSERT INTO a VALUES (1)",
	"CREATE TABLE b (n INTEGER); UPDATE a SET n = n + 1",
}

func open(t *testing.T, path string, schema []string) *sql.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path, schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func query(t *testing.T, db *sql.DB, text string) (answer string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), text).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return answer
}

func TestSchemaSteps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if got := query(t, open(t, path, schema[:1]), "SELECT n FROM a"); got != "1" {
		t.Errorf("after the first step: %s", got)
	}
	for range 2 { // the second time there is nothing to do
		if got := query(t, open(t, path, schema), "SELECT n FROM a"); got != "2" {
			t.Errorf("after the second step: %s", got)
		}
	}
}

func TestNewerDatabasesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	open(t, path, schema)
	_, err := sqlite.Open(t.Context(), path, schema[:1])
	if err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

// A step that fails leaves the database as it was.
func TestFailedSteps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	open(t, path, schema[:1])
	if _, err := sqlite.Open(t.Context(), path, []string{schema[0], "CREATE TABLE b (n); nonsense"}); err == nil {
		t.Fatal("nonsense was accepted")
	}
	open(t, path, schema)
}

func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c%20#d.db") // every byte of a path is meant as it stands
	db := open(t, path, schema)
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "auto_vacuum": "2", "foreign_keys": "1", "busy_timeout": "5000",
	} {
		if got := query(t, db, "PRAGMA "+pragma); got != want {
			t.Errorf("%s is %s, want %s", pragma, got, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestMissingDirectories(t *testing.T) {
	_, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "none", "x.db"), schema)
	if err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("error %v", err)
	}
}

func TestNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), path, schema); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("error %v", err)
	}
}
