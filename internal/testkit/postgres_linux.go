package testkit

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Postgres is a PostgreSQL server of a test, with a database of its own. Its
// methods are called by the goroutine of the test.
type Postgres struct {
	t        testing.TB
	programs string // directory
	data     string // directory
	port     int
	as       *syscall.SysProcAttr
	server   *exec.Cmd // nil while it is stopped
}

// PostgresPassword is the password of the server's only user; no log may show it.
const PostgresPassword = "open-sesame"

// NewPostgres makes a database and leaves its server stopped; the test is skipped
// where PostgreSQL is not installed. The server is stopped at the end of the test.
func NewPostgres(t testing.TB) *Postgres {
	t.Helper()
	p := &Postgres{t: t, programs: postgresPrograms(t), port: freePort(t)}
	dir, err := os.MkdirTemp("", "pg") //nolint:usetesting // the server's user has no way to what is below TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p.data = filepath.Join(dir, "data")
	p.serveAs(dir)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte(PostgresPassword), 0o644); err != nil {
		t.Fatal(err)
	}
	p.run("initdb", "-D", p.data, "-U", "pipes", "-A", "scram-sha-256", "--pwfile", password, "-N", "-E", "UTF8", "--locale", "C")
	t.Cleanup(p.Kill)
	return p
}

// postgresPrograms returns the directory of initdb, which Debian keeps out of the
// path.
func postgresPrograms(t testing.TB) string {
	t.Helper()
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb"); err == nil && len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	found, err := exec.LookPath("initdb")
	if err != nil {
		t.Skip("PostgreSQL is not installed")
	}
	return filepath.Dir(found)
}

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}

// serveAs chooses the user: PostgreSQL refuses to run as root.
func (p *Postgres) serveAs(dir string) {
	p.t.Helper()
	p.as = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		p.t.Fatal(err)
	}
	uid, errUID := strconv.Atoi(account.Uid)
	gid, errGID := strconv.Atoi(account.Gid)
	if errUID != nil || errGID != nil {
		p.t.Fatalf("user postgres: %v, %v", errUID, errGID)
	}
	p.as.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(dir, uid, gid); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Postgres) command(program string, args ...string) *exec.Cmd {
	c := exec.Command(filepath.Join(p.programs, program), args...)
	c.Dir, c.SysProcAttr = "/", p.as
	c.Env = append(os.Environ(), "PGPASSWORD="+PostgresPassword, "LC_ALL=C")
	return c
}

func (p *Postgres) run(program string, args ...string) string {
	p.t.Helper()
	out, err := p.command(program, args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

// URL returns where the server is, or will be.
func (p *Postgres) URL() string {
	return fmt.Sprintf("postgres://pipes:%s@127.0.0.1:%d/postgres?sslmode=disable", PostgresPassword, p.port)
}

// postgresStart is how long a server may take to start: seconds where nothing else runs.
const postgresStart = time.Minute

// Start starts the server and waits until it can be connected to.
func (p *Postgres) Start() {
	p.t.Helper()
	log, err := os.Create(p.data + ".log")
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	p.server = p.command("postgres", "-D", p.data, "-p", strconv.Itoa(p.port), "-h", "127.0.0.1", "-k", filepath.Dir(p.data), "-F")
	p.server.Stderr = log
	if err := p.server.Start(); err != nil {
		p.t.Fatal(err)
	}
	if !waitFor(p.ready, postgresStart) {
		said, _ := os.ReadFile(log.Name())
		p.t.Fatalf("waited %v in vain for the PostgreSQL server, which says\n%s", postgresStart, said)
	}
}

// ready reports whether the server takes connections. The tool that knows is asked when
// there is a listener: it takes longer than finding out that there is none.
func (p *Postgres) ready() bool {
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)))
	if err != nil {
		return false
	}
	_ = c.Close()
	return p.command("pg_isready", "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(p.port)).Run() == nil
}

// Kill ends the server and all its processes at once, as a power cut would.
func (p *Postgres) Kill() {
	if p.server == nil {
		return
	}
	p.signal(syscall.SIGKILL)
	_ = p.server.Wait() // it was killed
	p.server = nil
	_ = os.Remove(filepath.Join(p.data, "postmaster.pid"))
}

// Freeze makes the server hang, with its connections, until Thaw.
func (p *Postgres) Freeze() { p.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (p *Postgres) Thaw() { p.signal(syscall.SIGCONT) }

// signal reaches the server and the processes of its connections, which are its
// children but lead groups of their own. While the server is stopped it starts no
// others.
func (p *Postgres) signal(s syscall.Signal) {
	p.t.Helper()
	server := p.server.Process.Pid
	if err := syscall.Kill(server, syscall.SIGSTOP); err != nil {
		p.t.Errorf("stop the PostgreSQL server: %v", err)
	}
	for _, pid := range append(children(p.t, server), server) {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			p.t.Errorf("%v to a process of PostgreSQL: %v", s, err)
		}
	}
}

func children(t testing.TB, parent int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil && len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// Query returns what a statement yields, without headings, columns separated by
// bars.
func (p *Postgres) Query(statement string) string {
	p.t.Helper()
	return p.run("psql", "-h", "127.0.0.1", "-p", strconv.Itoa(p.port), "-U", "pipes", "-d", "postgres", "-X", "-A", "-t", "-c", statement)
}
