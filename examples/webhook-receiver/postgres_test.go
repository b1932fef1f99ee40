package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// cluster is a PostgreSQL server of our own on a socket in a directory of its
// own. It starts with the first test that needs it and ends with TestMain.
var cluster struct {
	once      sync.Once
	err       error
	directory string
	server    *exec.Cmd
	log       bytes.Buffer // read after the end of server
	databases int
}

var errNotInstalled = errors.New("PostgreSQL is not installed")

func TestMain(m *testing.M) {
	code := m.Run()
	if err := stopCluster(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		code = 1
	}
	os.Exit(code)
}

// postgres returns the address of an empty database.
func postgres(t *testing.T) string {
	t.Helper()
	cluster.once.Do(func() { cluster.err = startCluster() })
	if errors.Is(cluster.err, errNotInstalled) {
		t.Skip(cluster.err)
	}
	if cluster.err != nil {
		t.Fatal(cluster.err)
	}
	db, err := sql.Open("pgx", clusterAddress("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	cluster.databases++
	name := "test" + strconv.Itoa(cluster.databases)
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return clusterAddress(name)
}

func clusterAddress(database string) string {
	return "postgres:///" + database + "?user=tester&host=" + cluster.directory
}

func startCluster() (err error) {
	initdb, server, err := programs()
	if err != nil {
		return err
	}
	// The path of a socket has to be short, which that of t.TempDir is not.
	if cluster.directory, err = os.MkdirTemp("", "pg"); err != nil {
		return err
	}
	data := filepath.Join(cluster.directory, "data")
	account, err := unprivileged()
	if err != nil {
		return err
	}
	made := exec.Command(initdb, "--pgdata", data, "--username", "tester", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	made.Dir, made.SysProcAttr = cluster.directory, account
	if out, err := made.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	cluster.server = exec.Command(server, "-D", data, "-k", cluster.directory, "-c", "listen_addresses=", "-c", "fsync=off")
	cluster.server.Dir, cluster.server.SysProcAttr = cluster.directory, account
	cluster.server.Stdout, cluster.server.Stderr = &cluster.log, &cluster.log
	if err := cluster.server.Start(); err != nil {
		return err
	}
	return awaitCluster()
}

// programs looks where Debian puts them, too, which is in nobody's PATH.
func programs() (initdb, server string, err error) {
	places, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.Reverse(places)
	if path, err := exec.LookPath("initdb"); err == nil {
		places = slices.Insert(places, 0, filepath.Dir(path))
	}
	for _, place := range places {
		initdb, server = filepath.Join(place, "initdb"), filepath.Join(place, "postgres")
		if exec.Command(initdb, "--version").Run() == nil && exec.Command(server, "--version").Run() == nil {
			return initdb, server, nil
		}
	}
	return "", "", errNotInstalled
}

// unprivileged returns how to run programs that refuse to be run by root, and
// gives the directory to whom they run as.
func unprivileged() (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	account := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return account, os.Chown(cluster.directory, int(uid), int(gid))
}

// awaitCluster asks until the server answers: it says so nowhere else.
func awaitCluster() error {
	db, err := sql.Open("pgx", clusterAddress("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not start: %w", err)
		}
	}
}

func stopCluster() error {
	var err error
	if cluster.server != nil && cluster.server.Process != nil {
		err = cluster.server.Process.Signal(syscall.SIGINT) // fast shutdown
		if waited := cluster.server.Wait(); waited != nil {
			err = errors.Join(err, waited, errors.New(cluster.log.String()))
		}
	}
	if cluster.directory != "" {
		err = errors.Join(err, os.RemoveAll(cluster.directory))
	}
	return err
}
