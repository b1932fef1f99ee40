package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/natsbroker"
	"github.com/pipesocket/pipesocketd/internal/broker/redisbroker"
	"github.com/pipesocket/pipesocketd/test/engines"
)

// Messages of the fan-out: as large as an event of 256 bytes.
const (
	fanoutBytes    = 400
	fanoutChannels = 100
	fanoutTime     = 2 * time.Second
)

// fanout measures what an engine's server pays for a message to so many nodes, alone
// in its batch and with many others.
func (o *options) fanout(ctx context.Context, output, progress io.Writer) error {
	dir, err := os.MkdirTemp("", "fanout")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	set := engineSet{dir: dir}
	defer set.stop()
	fmt.Fprint(output, "| Engine | nodes that receive | messages in a batch | messages/s | CPU µs of the engine per message | per copy |\n|---|---:|---:|---:|---:|---:|\n")
	for _, kind := range []engines.Kind{engines.Redis, engines.NATS} {
		if !wanted(o.systems, string(kind)) {
			continue
		}
		e, err := set.get(kind)
		if err != nil {
			return err
		}
		for _, receivers := range []int{1, 3, 10, 30, 100} {
			for _, batch := range []int{1, 128} {
				fmt.Fprintf(progress, "%s, %d receivers, batches of %d\n", kind, receivers, batch)
				rate, cost, err := fanoutTo(ctx, e, receivers, batch)
				if err != nil {
					return fmt.Errorf("%s to %d receivers: %w", kind, receivers, err)
				}
				fmt.Fprintf(output, "| %s | %d | %d | %s | %s | %s |\n", kind, receivers, batch, digits(rate), digits(cost), digits(cost/float64(receivers)))
			}
		}
	}
	return nil
}

// client is an engine's client that counts what it receives.
type client struct {
	broker.Engine
	received atomic.Int64
	up       chan struct{}
	once     sync.Once
}

func (c *client) Receive([]byte) { c.received.Add(1) }
func (c *client) Up()            { c.once.Do(func() { close(c.up) }) }
func (c *client) Down(error)     {}

func newClient(e *engines.Engine) (*client, error) {
	c := &client{up: make(chan struct{})}
	var err error
	if e.Kind == engines.Redis {
		c.Engine, err = redisbroker.New(redisbroker.Options{URL: e.URL(), Prefix: "fanout"})
	} else {
		c.Engine, err = natsbroker.New(natsbroker.Options{URL: e.URL(), Prefix: "fanout", Name: "fanout"})
	}
	return c, err
}

func roomOf(i int) broker.Subject {
	return broker.Subject{Kind: broker.ToChannel, App: "1", Channel: fmt.Sprintf("private-room-%d", i%fanoutChannels)}
}

// fanoutTo publishes for a while; cost is in microseconds per message.
func fanoutTo(ctx context.Context, e *engines.Engine, receivers, batch int) (rate, cost float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	start := func(subscribe bool) (*client, error) {
		c, err := newClient(e)
		if err != nil {
			return nil, err
		}
		running.Go(func() { _ = c.Run(ctx, c) })
		select {
		case <-c.up:
		case <-time.After(20 * time.Second):
			return nil, errors.New("no connection to the engine")
		}
		if !subscribe {
			return c, nil
		}
		var all []broker.Command
		for i := range fanoutChannels {
			all = append(all, broker.Command{Op: broker.Subscribe, Subject: roomOf(i)})
		}
		return c, c.Do(ctx, all)
	}
	var clients []*client
	for range receivers {
		c, err := start(true)
		if err != nil {
			return 0, 0, err
		}
		clients = append(clients, c)
	}
	sender, err := start(false)
	if err != nil {
		return 0, 0, err
	}
	commands := make([]broker.Command, batch)
	for i := range commands {
		commands[i] = broker.Command{Op: broker.Publish, Subject: roomOf(i), Message: bytes.Repeat([]byte("x"), fanoutBytes)}
	}
	before, err := cpuOf(e.Servers[0].PID())
	if err != nil {
		return 0, 0, err
	}
	began, sent := time.Now(), 0
	for time.Since(began) < fanoutTime {
		if err := sender.Do(ctx, commands); err != nil {
			return 0, 0, err
		}
		sent += batch
		if sent/batch%16 > 0 {
			continue
		}
		for _, c := range clients { // else it would pile up in the server
			if err := c.Fence(ctx); err != nil {
				return 0, 0, err
			}
		}
	}
	for _, c := range clients {
		if err := c.Fence(ctx); err != nil {
			return 0, 0, err
		}
		if got := c.received.Load(); got != int64(sent) {
			return 0, 0, fmt.Errorf("%d of %d messages came", got, sent)
		}
	}
	took := time.Since(began)
	after, err := cpuOf(e.Servers[0].PID())
	return float64(sent) / took.Seconds(), float64((after - before).Microseconds()) / float64(sent), err
}

// cpuOf reads how much CPU time a process has used.
func cpuOf(pid int) (time.Duration, error) {
	const tick = time.Second / 100 // USER_HZ
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var sum int64
	for _, field := range fields[11:13] { // user and system
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read cost of process: %w", err)
		}
		sum += n
	}
	return time.Duration(sum) * tick, nil
}
