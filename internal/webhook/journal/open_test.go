package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/sqlite"
)

func TestUnusableFiles(t *testing.T) {
	written := file(t)
	j := open(t, written, Options{})
	l := lane(t, j, hookURL)
	l.put(200)
	flush(t, j)
	shut(t, j)
	whole, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		make func(t *testing.T, path string)
		want string
	}{
		"text": {func(t *testing.T, path string) {
			t.Helper()
			write(t, path, bytes.Repeat([]byte("no database "), 1000))
		}, "not a database"},
		"another program's": {func(t *testing.T, path string) {
			t.Helper()
			db, err := sqlite.Open(t.Context(), path, []string{"CREATE TABLE t (x)"})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}, "another program"},
		"another program's without a version": {func(t *testing.T, path string) {
			t.Helper()
			db, err := sqlite.Open(t.Context(), path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (x)"); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}, "another program"},
		"of a later release": {func(t *testing.T, path string) {
			t.Helper()
			db, err := sqlite.Open(t.Context(), path, append(append([]string{}, schema...), "SELECT 1", "SELECT 1"))
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}, "version 3"},
		"torn": {func(t *testing.T, path string) {
			t.Helper()
			write(t, path, whole[:len(whole)/2])
		}, "malformed"},
		"overwritten": {func(t *testing.T, path string) {
			t.Helper()
			broken := bytes.Clone(whole)
			for i := 4096; i < len(broken); i++ {
				broken[i] = 0xa5
			}
			write(t, path, broken)
		}, "damaged"},
		"in a missing directory": {func(*testing.T, string) {}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			if strings.Contains(c.want, "no such file") {
				path = filepath.Join(filepath.Dir(path), "missing", "webhooks.db")
			}
			c.make(t, path)
			j, err := Open(t.Context(), path, Options{})
			if err == nil {
				shut(t, j)
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %q, want one with %q and the path", err, c.want)
			}
		})
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// URLs can hold secrets, which do not belong on a disk.
func TestURLsAreNotWritten(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	lane(t, j, hookURL).put(1)
	flush(t, j)
	shut(t, j)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte("=secret")) {
		t.Error("the file has the secret")
	}
	if !bytes.Contains(content, []byte("https://hooks.example/in")) {
		t.Error("the file has not the rest of the URL")
	}
}
