package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// server is one master with its two connections.
type server struct {
	addr      string
	info      serverInfo
	receiving *subscriber
	sending   rueidis.Client

	// Owned by Do.
	batch   []rueidis.Completed // messages
	changes []byte              // of subscriptions
	wanted  []*expectation      // by changes
}

// serverInfo is what HELLO tells.
type serverInfo struct {
	name    string // redis, valkey
	version string
	mode    string // standalone, cluster, sentinel
	role    string // master, replica
}

var (
	helloCommand = appendArgument(appendCommand(nil, 1), "HELLO")
	pingCommand  = appendArgument(appendCommand(nil, 1), "PING")
	slotsCommand = appendArgument(appendArgument(appendCommand(nil, 2), "CLUSTER"), "SLOTS")
)

// clientName is what CLIENT LIST shows.
const clientName = "pipesocketd"

// credentials are of a user of the server; both empty: there are none.
type credentials struct{ username, password string }

// hello returns the command that a connection begins with.
func (c credentials) hello() []byte {
	arguments := []string{"HELLO", "3"}
	if c.username != "" || c.password != "" {
		username := c.username
		if username == "" {
			username = "default"
		}
		arguments = append(arguments, "AUTH", username, c.password)
	}
	arguments = append(arguments, "SETNAME", clientName)
	command := appendCommand(nil, len(arguments))
	for _, argument := range arguments {
		command = appendArgument(command, argument)
	}
	return command
}

// greet begins a connection.
func (s *subscriber) greet(ctx context.Context, c credentials) (serverInfo, error) {
	answer, err := s.ask(ctx, c.hello())
	if err != nil && strings.Contains(err.Error(), "unknown command") {
		return serverInfo{}, fmt.Errorf("the server is older than Redis 6: %w", err)
	}
	if err != nil {
		return serverInfo{}, err
	}
	info := infoOf(answer)
	if answer.get("proto") != "3" {
		return info, errors.New("the server does not speak RESP3, as Redis does from version 6 on")
	}
	return info, nil
}

func infoOf(v value) serverInfo {
	return serverInfo{name: v.get("server"), version: v.get("version"), mode: v.get("mode"), role: v.get("role")}
}

// writable fails for a replica: what is published there, its master's subscribers
// do not get.
func (i serverInfo) writable() error {
	if i.role == "replica" || i.role == "slave" {
		return errors.New("the server is a replica")
	}
	return nil
}

// check asks whether the server is a master still.
func (s *subscriber) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	answer, err := s.ask(ctx, helloCommand)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	return infoOf(answer).writable()
}

// major returns the major number of the server's version.
func (i serverInfo) major() int {
	text, _, _ := strings.Cut(i.version, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// String returns the version, with the name of what is not Redis before it.
func (i serverInfo) String() string {
	if i.name == "redis" || i.name == "" {
		return i.version
	}
	return i.name + " " + i.version
}

// slotRange is a range of slots with the address of its master.
type slotRange struct {
	from, to int
	master   string
}

// mastersOf reads the answer to CLUSTER SLOTS. Members that do not know their own
// host leave it out; it is that of the one that was asked.
func mastersOf(v value, asked string) ([]slotRange, error) {
	var ranges []slotRange
	host, _, err := net.SplitHostPort(asked)
	if err != nil {
		return nil, fmt.Errorf("address of a member: %w", err)
	}
	for _, e := range v.elements {
		if len(e.elements) < 3 || len(e.elements[2].elements) < 2 {
			return nil, fmt.Errorf("%w: CLUSTER SLOTS", errProtocol)
		}
		from, errFrom := strconv.Atoi(e.elements[0].text)
		to, errTo := strconv.Atoi(e.elements[1].text)
		if err := errors.Join(errFrom, errTo); err != nil || from < 0 || to >= slots || from > to {
			return nil, fmt.Errorf("%w: CLUSTER SLOTS", errProtocol)
		}
		master := e.elements[2].elements
		name := master[0].text
		if name == "" || name == "?" {
			name = host
		}
		addr := net.JoinHostPort(name, master[1].text)
		if _, _, err := net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("%w: CLUSTER SLOTS: %w", errProtocol, err)
		}
		ranges = append(ranges, slotRange{from, to, addr})
	}
	return ranges, nil
}

// masterOf returns the address of the master of a slot.
func masterOf(ranges []slotRange, slot int) (string, error) {
	i := slices.IndexFunc(ranges, func(r slotRange) bool { return r.from <= slot && slot <= r.to })
	if i < 0 {
		return "", fmt.Errorf("slot %d of the cluster has no master", slot)
	}
	return ranges[i].master, nil
}
