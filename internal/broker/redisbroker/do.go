package redisbroker

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/redis/rueidis"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// maxNames is how many channels one command subscribes or unsubscribes at most: a
// server does nothing else meanwhile.
const maxNames = 512

// doer carries out commands. It keeps its buffers from call to call.
type doer struct {
	names []byte       // of channels; commands point into it
	run   []laneNumber // subjects of consecutive commands with one operation
}

// laneNumber is a command's lane, and its place among the commands.
type laneNumber struct{ lane, command int }

// carryOut does what Engine.Do promises. After an error the link has ended.
func (l *link) carryOut(ctx context.Context, commands []broker.Command) error {
	if err := l.change(ctx, commands); err != nil {
		return err
	}
	return l.publish(ctx, commands)
}

// change subscribes and unsubscribes. It sends everything first, and then waits.
func (l *link) change(ctx context.Context, commands []broker.Command) error {
	d := &l.do
	d.run = d.run[:0]
	op := broker.Publish
	for i := range commands {
		c := &commands[i]
		if c.Op == broker.Publish {
			continue
		}
		if c.Op != op {
			l.appendChanges(commands, op)
			op = c.Op
		}
		d.run = append(d.run, laneNumber{l.settings.lane(c.Subject), i})
	}
	if op == broker.Publish {
		return nil
	}
	l.appendChanges(commands, op)
	return l.sendChanges(ctx)
}

// appendChanges turns a run into commands for the servers. In a cluster one command
// may name channels of one slot only.
func (l *link) appendChanges(commands []broker.Command, op broker.Op) {
	d := &l.do
	if l.cluster {
		slices.SortStableFunc(d.run, func(a, b laneNumber) int { return a.lane - b.lane })
	}
	for len(d.run) > 0 {
		lane, count := d.run[0].lane, 1
		for count < len(d.run) && count < maxNames && (!l.cluster || d.run[count].lane == lane) {
			count++
		}
		s := l.ofLane[lane]
		command, confirm := l.changeCommand(op)
		s.changes = appendArgument(appendCommand(s.changes, 1+count), command)
		for _, n := range d.run[:count] {
			d.names = l.names.append(d.names[:0], commands[n.command].Subject, n.lane)
			s.changes = appendArgument(s.changes, d.names)
		}
		s.want(confirm, count)
		d.run = d.run[count:]
	}
	d.run = d.run[:0]
}

// want expects confirmations; those of one kind in a row are one expectation.
func (s *server) want(kind pushKind, count int) {
	if n := len(s.wanted); n > 0 && s.wanted[n-1].kind == kind {
		s.wanted[n-1].left += count
		return
	}
	s.wanted = append(s.wanted, &expectation{kind: kind, left: count})
}

func (l *link) changeCommand(op broker.Op) (command string, confirm pushKind) {
	switch {
	case l.cluster && op == broker.Subscribe:
		return "SSUBSCRIBE", ssubscribed
	case l.cluster:
		return "SUNSUBSCRIBE", sunsubscribed
	case op == broker.Subscribe:
		return "SUBSCRIBE", subscribed
	default:
		return "UNSUBSCRIBE", unsubscribed
	}
}

func (l *link) sendChanges(ctx context.Context) error {
	for _, s := range l.servers {
		if len(s.changes) == 0 {
			continue
		}
		if err := s.receiving.send(ctx, s.changes, s.wanted...); err != nil {
			return fmt.Errorf("subscribe at %s: %w", s.addr, err)
		}
		s.changes = s.changes[:0]
	}
	for _, s := range l.servers {
		for _, e := range s.wanted {
			if err := e.wait(ctx); err != nil {
				return fmt.Errorf("subscribe at %s: %w", s.addr, err)
			}
		}
		s.wanted = s.wanted[:0]
	}
	return nil
}

// publish sends messages, to all servers at once.
func (l *link) publish(ctx context.Context, commands []broker.Command) error {
	d := &l.do
	d.names = d.names[:0]
	for i := range commands {
		if commands[i].Op == broker.Publish {
			l.appendMessage(&commands[i])
		}
	}
	var others sync.WaitGroup
	var last *server
	failures := make([]error, len(l.servers))
	for i, s := range l.servers {
		if len(s.batch) == 0 {
			continue
		}
		if last != nil {
			others.Go(func() { failures[i] = s.publish(ctx) })
			continue
		}
		last = s
	}
	if last != nil {
		failures[slices.Index(l.servers, last)] = last.publish(ctx)
	}
	others.Wait()
	for _, err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *link) appendMessage(c *broker.Command) {
	d := &l.do
	lane := l.settings.lane(c.Subject)
	begin := len(d.names)
	d.names = l.names.append(d.names, c.Subject, lane)
	name, message := rueidis.BinaryString(d.names[begin:]), rueidis.BinaryString(c.Message)
	s := l.ofLane[lane]
	if l.cluster {
		s.batch = append(s.batch, s.sending.B().Spublish().Channel(name).Message(message).Build())
		return
	}
	s.batch = append(s.batch, s.sending.B().Publish().Channel(name).Message(message).Build())
}

// publish sends the batch of a server and reads the answers.
func (s *server) publish(ctx context.Context) error {
	results := s.sending.DoMulti(ctx, s.batch...)
	clear(s.batch)
	s.batch = s.batch[:0]
	for i := range results {
		if err := results[i].Error(); err != nil {
			return fmt.Errorf("publish at %s: %w", s.addr, err)
		}
	}
	return nil
}

// fence returns when a PING to each server is answered.
func (l *link) fence(ctx context.Context) error {
	expected := make([]expectation, len(l.servers))
	for i, s := range l.servers {
		expected[i].left = 1
		if err := s.receiving.send(ctx, pingCommand, &expected[i]); err != nil {
			return fmt.Errorf("fence at %s: %w", s.addr, err)
		}
	}
	for i, s := range l.servers {
		if err := expected[i].wait(ctx); err != nil {
			return fmt.Errorf("fence at %s: %w", s.addr, err)
		}
	}
	return nil
}
