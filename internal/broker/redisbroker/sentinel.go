package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// sentinel is a connection to one of them.
type sentinel struct {
	addr string
	conn *subscriber
}

// openSentinel asks sentinels for the master until one names a server that is one.
func (l *link) openSentinel(ctx context.Context) (*server, error) {
	var failures []error
	for _, addr := range l.settings.addresses {
		s, err := l.openThrough(ctx, addr)
		if err == nil {
			return s, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// openThrough connects to the master that one sentinel names. The sentinel is asked
// again from time to time.
func (l *link) openThrough(ctx context.Context, addr string) (*server, error) {
	asked, err := l.dialSentinel(ctx, addr)
	if err != nil {
		return nil, err
	}
	master, err := asked.master(ctx, l.settings.masterSet)
	if err != nil {
		return nil, err
	}
	s, err := l.openReceiving(ctx, master)
	if err != nil {
		return nil, fmt.Errorf("as Sentinel says: %w", err)
	}
	if err := s.info.writable(); err != nil {
		_ = s.receiving.conn.Close()
		return nil, fmt.Errorf("%s, as Sentinel says: %w", master, err)
	}
	l.sentinel = asked
	return s, nil
}

func (l *link) dialSentinel(ctx context.Context, addr string) (*sentinel, error) {
	conn, info, err := l.greet(ctx, addr, l.settings.sentinel)
	if err != nil {
		return nil, fmt.Errorf("find the master: %w", err)
	}
	if info.mode != "sentinel" {
		_ = conn.conn.Close()
		return nil, fmt.Errorf("%s is no Sentinel", addr)
	}
	return &sentinel{addr: addr, conn: conn}, nil
}

// master returns the address of the master of a set.
func (s *sentinel) master(ctx context.Context, set string) (string, error) {
	command := appendCommand(nil, 3)
	for _, argument := range []string{"SENTINEL", "GET-MASTER-ADDR-BY-NAME", set} {
		command = appendArgument(command, argument)
	}
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	answer, err := s.conn.ask(ctx, command)
	if err != nil {
		return "", fmt.Errorf("ask Sentinel %s: %w", s.addr, err)
	}
	if len(answer.elements) != 2 {
		return "", fmt.Errorf("the Sentinel at %s does not know the master set %q", s.addr, set)
	}
	return net.JoinHostPort(answer.elements[0].text, answer.elements[1].text), nil
}

// watchSentinel ends the link when another server has become the master. While no
// sentinel can be reached, the present master is taken for the right one.
func (l *link) watchSentinel(ctx context.Context, master string) {
	next := 0
	for l.pause(probeGap) {
		now, err := l.sentinel.master(ctx, l.settings.masterSet)
		if err != nil {
			_ = l.sentinel.conn.conn.Close()
			addr := l.settings.addresses[next%len(l.settings.addresses)]
			next++
			if other, err := l.dialSentinel(ctx, addr); err == nil {
				l.sentinel = other
			}
			continue
		}
		if now != master {
			l.fail(fmt.Errorf("the master is %s now, says Sentinel, and not %s", now, master))
		}
	}
}

// pause returns false once the link has ended.
func (l *link) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.ended:
		return false
	}
}
