package engines

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

const startTimeout = 20 * time.Second // on a machine that does much else

// Process is a server of another kind that a test starts, listening on one TCP port
// of loopback. Its methods are called by one goroutine at a time.
type Process struct {
	argv    []string
	address string // HOST:PORT
	dir     string

	output  *testkit.Output // of the present run
	command *exec.Cmd       // nil while it is stopped
	ended   chan struct{}   // closed when the present run has ended
}

// NewProcess describes a server that listens on this address once it works. dir is
// its working directory.
func NewProcess(address, dir string, argv ...string) *Process {
	return &Process{argv: argv, address: address, dir: dir}
}

// Addr returns the HOST:PORT where the process listens, or will.
func (p *Process) Addr() string { return p.address }

// Start starts the process and returns when its port is open.
func (p *Process) Start() error {
	p.output, p.ended = &testkit.Output{}, make(chan struct{})
	p.command = exec.Command(p.argv[0], p.argv[1:]...)
	p.command.Dir = p.dir
	p.command.Stdout, p.command.Stderr = p.output, p.output
	p.command.SysProcAttr = attributes()
	if err := p.command.Start(); err != nil {
		p.command = nil
		return fmt.Errorf("start %s: %w", p.argv[0], err)
	}
	go func(c *exec.Cmd, ended chan<- struct{}) {
		_ = c.Wait() // it is killed
		close(ended)
	}(p.command, p.ended)
	if !p.awaitListening() {
		p.Kill()
		return fmt.Errorf("%s does not listen on %s:\n%s", p.argv[0], p.address, p.output)
	}
	return nil
}

func (p *Process) awaitListening() bool {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !p.listens() {
		select {
		case <-tick.C:
		case <-p.ended:
			return false
		case <-deadline.C:
			return false
		}
	}
	return true
}

func (p *Process) listens() bool {
	conn, err := net.DialTimeout("tcp", p.address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// Kill ends the process at once and returns when it has ended. It may be started
// again afterwards.
func (p *Process) Kill() {
	if p.command == nil {
		return
	}
	_ = p.command.Process.Kill() // it may have ended by itself
	<-p.ended
	p.command = nil
}

// Freeze makes the process hang, with its connections, until Thaw.
func (p *Process) Freeze() error { return p.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(signal syscall.Signal) error {
	if p.command == nil {
		return errors.New("the process does not run")
	}
	return p.command.Process.Signal(signal)
}

// Output returns what the process has written.
func (p *Process) Output() string {
	if p.output == nil {
		return ""
	}
	return strings.TrimSpace(p.output.String())
}

// PID returns the number of the process, which must run.
func (p *Process) PID() int { return p.command.Process.Pid }
