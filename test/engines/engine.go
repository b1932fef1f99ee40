package engines

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind names a sort of engine.
type Kind string

// Kinds of engines. Embedded has no servers of its own: the nodes are the engine.
const (
	Redis         Kind = "redis"
	RedisSentinel Kind = "redis-sentinel" // a master, a replica, three sentinels
	RedisCluster  Kind = "redis-cluster"  // three masters
	RedisReplicas Kind = "redis-replicas" // three masters with a replica each
	NATS          Kind = "nats"
	NATSCluster   Kind = "nats-cluster" // three servers
	Embedded      Kind = "embedded"
)

// Engine is a running engine.
type Engine struct {
	Kind      Kind
	Servers   []*Process
	Sentinels []*Process
	Proxies   []*Proxy // of each server; none if the engine was started without

	dir     string
	proxied bool
}

// Start starts an engine, with a proxy in front of each server if proxied is set. dir takes
// what the servers write. Stop is to be called also after an error.
func Start(kind Kind, dir string, proxied bool) (*Engine, error) {
	e := &Engine{Kind: kind, dir: dir, proxied: proxied}
	switch kind {
	case Redis:
		return e, e.startRedis()
	case RedisSentinel:
		return e, e.startSentinels()
	case RedisCluster:
		return e, e.startRedisCluster(3, 0)
	case RedisReplicas:
		return e, e.startRedisCluster(3, 1)
	case NATS, NATSCluster:
		return e, e.startNATS(kind)
	case Embedded:
		return e, nil
	}
	return e, fmt.Errorf("unknown engine %q", kind)
}

// known returns the address under which clients are to find the server that will
// listen on this port: its proxy's, or its own.
func (e *Engine) known(port int) (string, error) {
	if !e.proxied {
		return addressOf(port), nil
	}
	proxy, err := NewProxy(addressOf(port))
	if err != nil {
		return "", err
	}
	e.Proxies = append(e.Proxies, proxy)
	return proxy.Addr(), nil
}

// add starts a server.
func (e *Engine) add(server *Process) error {
	e.Servers = append(e.Servers, server)
	return server.Start()
}

// Stop ends the servers and the proxies.
func (e *Engine) Stop() error {
	for _, server := range append(e.Servers, e.Sentinels...) {
		server.Kill()
	}
	var errs []error
	for _, proxy := range e.Proxies {
		errs = append(errs, proxy.Close())
	}
	return errors.Join(errs...)
}

// Addrs returns where clients find the servers.
func (e *Engine) Addrs() []string {
	var addrs []string
	for i, server := range e.Servers {
		if e.proxied {
			addrs = append(addrs, e.Proxies[i].Addr())
		} else {
			addrs = append(addrs, server.Addr())
		}
	}
	return addrs
}

// URL returns what nodes are configured with.
func (e *Engine) URL() string {
	switch e.Kind {
	case Redis:
		return "redis://" + e.Addrs()[0] + "/0"
	case RedisCluster, RedisReplicas:
		return redisURL(e.Addrs())
	case RedisSentinel:
		var sentinels []string
		for _, s := range e.Sentinels {
			sentinels = append(sentinels, s.Addr())
		}
		return redisURL(sentinels) + "&master_set=" + MasterName
	case NATS, NATSCluster:
		return "nats://" + strings.Join(e.Addrs(), ",nats://")
	case Embedded:
	}
	return string(Embedded)
}

// redisURL names several servers; that is never one alone.
func redisURL(addrs []string) string {
	return "redis://" + addrs[0] + "?addr=" + strings.Join(addrs[1:], "&addr=")
}

func await(what string, condition func() bool) error {
	deadline := time.NewTimer(startTimeout)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return fmt.Errorf("waited %v in vain for %s", startTimeout, what)
		}
	}
	return nil
}
