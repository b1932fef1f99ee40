package engines

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// slots is how many hash slots a Redis Cluster has.
const slots = 16384

// redisServer describes a Redis server that keeps nothing.
func redisServer(dir string, port int, settings ...string) (*Process, error) {
	own := filepath.Join(dir, "redis-"+strconv.Itoa(port))
	if err := os.MkdirAll(own, 0o700); err != nil {
		return nil, err
	}
	argv := []string{
		"redis-server", "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", own,
		"--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0",
	}
	return NewProcess(addressOf(port), own, append(argv, settings...)...), nil
}

func addressOf(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// portOf returns the port of a HOST:PORT.
func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// RedisCommand carries out one command and returns the reply's first line, or for
// a bulk string its text. It knows neither TLS nor passwords.
func RedisCommand(address string, words ...string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	request := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, word := range words {
		request = fmt.Appendf(request, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := conn.Write(request); err != nil {
		return "", err
	}
	return redisReply(bufio.NewReader(conn))
}

func redisReply(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSpace(line)
	if text, failed := strings.CutPrefix(line, "-"); failed {
		return "", errors.New(text)
	}
	length, bulk := strings.CutPrefix(line, "$")
	if !bulk {
		return strings.TrimPrefix(line, "+"), nil
	}
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 {
		return "", err
	}
	text := make([]byte, n)
	_, err = io.ReadFull(in, text)
	return string(text), err
}

// startRedisCluster starts so many masters, each with as many replicas, and returns
// when they serve. Masters come first in servers.
func (e *Engine) startRedisCluster(masters, replicas int) error {
	var bus []int
	for range masters * (1 + replicas) {
		server, busPort, err := e.clusterMember()
		if err != nil {
			return err
		}
		if err := e.add(server); err != nil {
			return err
		}
		bus = append(bus, busPort)
	}
	for i, server := range e.Servers {
		if i < masters {
			first, last := i*slots/masters, (i+1)*slots/masters-1
			if _, err := RedisCommand(server.Addr(), "CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(first), strconv.Itoa(last)); err != nil {
				return fmt.Errorf("give slots to a master: %w", err)
			}
		}
		if _, err := RedisCommand(e.Servers[0].Addr(), "CLUSTER", "MEET", "127.0.0.1", portOf(server.Addr()), strconv.Itoa(bus[i])); err != nil {
			return fmt.Errorf("introduce a server: %w", err)
		}
	}
	if err := e.Settle(); err != nil {
		return err
	}
	return e.attachReplicas(masters)
}

// clusterMember describes one server; its bus is not where Redis would put it,
// 10,000 above the port, but where something is free.
func (e *Engine) clusterMember() (server *Process, bus int, err error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, 0, err
	}
	known, err := e.known(ports[0])
	if err != nil {
		return nil, 0, err
	}
	server, err = redisServer(e.dir, ports[0],
		"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(ports[1]), "--cluster-node-timeout", "1000",
		"--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", portOf(known), "--cluster-announce-bus-port", strconv.Itoa(ports[1]))
	return server, ports[1], err
}

// Settle returns when every server of a Redis Cluster, some of which may have been
// started again, knows all others and that the cluster serves.
func (e *Engine) Settle() error {
	return await("the Redis Cluster", func() bool {
		for _, server := range e.Servers {
			info, err := RedisCommand(server.Addr(), "CLUSTER", "INFO")
			if err != nil || !strings.Contains(info, "cluster_state:ok") ||
				!strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(e.Servers))) {
				return false
			}
		}
		return true
	})
}

// attachReplicas gives the masters their replicas in turns.
func (e *Engine) attachReplicas(masters int) error {
	for i, server := range e.Servers[masters:] {
		master, err := RedisCommand(e.Servers[i%masters].Addr(), "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		if _, err := RedisCommand(server.Addr(), "CLUSTER", "REPLICATE", master); err != nil {
			return fmt.Errorf("attach a replica: %w", err)
		}
	}
	return await("the replicas", func() bool {
		for _, server := range e.Servers[masters:] {
			info, err := RedisCommand(server.Addr(), "INFO", "replication")
			if err != nil || !strings.Contains(info, "master_link_status:up") {
				return false
			}
		}
		return true
	})
}

// MasterName is how the sentinels call the master.
const MasterName = "pipes"

// startSentinels starts a master, a replica, and three sentinels.
func (e *Engine) startSentinels() error {
	ports, err := freePorts(5)
	if err != nil {
		return err
	}
	var master string
	for i, port := range ports[:2] {
		known, err := e.known(port)
		if err != nil {
			return err
		}
		settings := []string{"--replica-announce-ip", "127.0.0.1", "--replica-announce-port", portOf(known)}
		if i == 0 {
			master = known
		} else {
			settings = append(settings, "--replicaof", "127.0.0.1", portOf(master))
		}
		server, err := redisServer(e.dir, port, settings...)
		if err != nil {
			return err
		}
		if err := e.add(server); err != nil {
			return err
		}
	}
	for _, port := range ports[2:] {
		sentinel, err := sentinelOf(e.dir, port, portOf(master))
		if err != nil {
			return err
		}
		if err := sentinel.Start(); err != nil {
			return err
		}
		e.Sentinels = append(e.Sentinels, sentinel)
	}
	return await("the sentinels", func() bool { return e.sentinelsKnow("slaves=1", "sentinels=3", "status=ok") })
}

// sentinelOf describes a sentinel, which writes to its own configuration.
func sentinelOf(dir string, port int, masterPort string) (*Process, error) {
	path := filepath.Join(dir, fmt.Sprintf("sentinel-%d.conf", port))
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\n"+
		"sentinel monitor %s 127.0.0.1 %s 2\nsentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 3000\n",
		port, dir, MasterName, masterPort, MasterName, MasterName)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return NewProcess(addressOf(port), dir, "redis-server", path, "--sentinel"), nil
}

func (e *Engine) sentinelsKnow(facts ...string) bool {
	for _, sentinel := range e.Sentinels {
		info, err := RedisCommand(sentinel.Addr(), "INFO", "sentinel")
		if err != nil {
			return false
		}
		for _, fact := range facts {
			if !strings.Contains(info, fact) {
				return false
			}
		}
	}
	return true
}

func (e *Engine) startRedis() error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	if _, err := e.known(ports[0]); err != nil {
		return err
	}
	server, err := redisServer(e.dir, ports[0])
	if err != nil {
		return err
	}
	return e.add(server)
}
