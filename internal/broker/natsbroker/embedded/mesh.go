//go:build !noembedded

package embedded

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// watchInterval is how soon a lost connection to another node is noticed, and
	// firstWatch how soon the first one is.
	watchInterval = 250 * time.Millisecond
	firstWatch    = 20 * time.Millisecond

	// lookupInterval is how soon a new address of a seed is noticed, and lookupLimit
	// how long its name server may take.
	lookupInterval = 5 * time.Second
	lookupLimit    = 3 * time.Second

	// What was a node, or an address of a seed, is dialled for lostFor after it was
	// lost, so that a long cut between two nodes heals that are nobody's seed, and a name
	// server may be wrong for a while; of such addresses at most maxLost, since those of
	// containers that are gone never answer.
	lostFor = 24 * time.Hour
	maxLost = 64
)

// mesh keeps the server connected to all nodes that it knows of. The server dials
// an address until it answers, and gives the address of every node that it meets to
// the others; what it does not do is to look for the further addresses of a name, to
// go on dialling a node that it only heard of, and to say that a connection was lost.
type mesh struct {
	seeds  []string
	lookup func(ctx context.Context, host string) ([]string, error)
	log    *slog.Logger

	// owned by run
	peers   map[string]*peer     // by id of their server
	found   []string             // addresses of seeds
	seen    map[string]time.Time // addresses: when they were last found, or lost
	dialled []string             // what the server has been given, sorted

	mu        sync.Mutex
	connected []string // addresses, sorted
}

// peer is a server that is or was connected.
type peer struct {
	name       string
	address    string    // where it listens, "" if it does not say
	connection uint64    // the server's number of it
	lost       time.Time // zero until it was lost for the first time
	connected  bool
}

// routed is what the mesh needs of the server.
type routed interface {
	Routez(*server.RoutezOptions) (*server.Routez, error)
	ReloadOptions(*server.Options) error
}

func newMesh(o Options) (*mesh, error) {
	for _, seed := range o.Seeds {
		host, port, err := net.SplitHostPort(seed)
		if n, _ := strconv.ParseUint(port, 10, 16); err != nil || host == "" || n == 0 {
			return nil, fmt.Errorf("seeds: %q is not of the form host:port", seed)
		}
	}
	m := &mesh{seeds: o.Seeds, lookup: o.Lookup, log: o.Log, peers: make(map[string]*peer), seen: make(map[string]time.Time)}
	if m.lookup == nil {
		m.lookup = net.DefaultResolver.LookupHost
	}
	return m, nil
}

// run looks after the mesh until ctx ends. settings returns the server's options with
// nodes to dial. run closes joined when a first node is connected, and calls again
// after connections to nodes were lost and made again.
func (m *mesh) run(ctx context.Context, s routed, settings func([]*url.URL) *server.Options, joined chan<- struct{}, again func(error)) {
	found := make(chan []string)
	var lookups sync.WaitGroup
	lookups.Go(func() { m.resolve(ctx, found) })
	defer lookups.Wait()
	begin := time.Now()
	watch := time.NewTicker(firstWatch)
	defer watch.Stop()
	for {
		m.dial(s, settings, time.Now())
		select {
		case m.found = <-found:
			continue
		case <-watch.C:
		case <-ctx.Done():
			return
		}
		if err := m.observe(s, time.Now()); err != nil {
			again(err)
		}
		if joined != nil && (len(m.others()) > 0 || time.Since(begin) > joinLimit) {
			close(joined)
			joined = nil
			watch.Reset(watchInterval)
		}
	}
}

// others returns the addresses of the nodes that are connected.
func (m *mesh) others() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.connected)
}

// observe looks at the server's connections. An error says which were lost and
// made again since the last time: what was on its way on them has not arrived.
func (m *mesh) observe(s routed, now time.Time) error {
	routes, err := s.Routez(nil)
	if err != nil {
		return nil //nolint:nilerr // there is none for these arguments
	}
	var again, connected []string
	seen := make(map[string]bool, len(routes.Routes))
	for _, r := range routes.Routes {
		p := m.peers[r.RemoteID]
		switch {
		case p == nil:
			p = &peer{name: r.RemoteName, address: address(r)}
			m.peers[r.RemoteID] = p
			m.log.Info("node connected", "node", p.name, "address", p.address)
		case p.connection != r.Rid:
			again = append(again, p.name)
			m.remember(p.address, now)
		}
		p.connection, p.connected = r.Rid, true
		seen[r.RemoteID] = true
		connected = append(connected, p.address)
	}
	for id, p := range m.peers {
		switch {
		case seen[id]:
		case p.connected:
			p.connected, p.lost = false, now
			m.remember(p.address, now)
			m.log.Info("node lost", "node", p.name, "address", p.address)
		case now.Sub(p.lost) > lostFor:
			delete(m.peers, id)
		}
	}
	m.forget()
	slices.Sort(connected)
	m.mu.Lock()
	m.connected = connected
	m.mu.Unlock()
	if len(again) > 0 {
		return fmt.Errorf("connections to %q were lost and made again", again)
	}
	return nil
}

// forget drops the nodes that were lost longest ago, beyond the bound: nobody needs to
// know any more that messages were lost when one of them comes back.
func (m *mesh) forget() {
	var ids []string
	for id, p := range m.peers {
		if !p.connected {
			ids = append(ids, id)
		}
	}
	if len(ids) <= maxLost {
		return
	}
	slices.SortFunc(ids, func(a, b string) int { return m.peers[b].lost.Compare(m.peers[a].lost) })
	for _, id := range ids[maxLost:] {
		delete(m.peers, id)
	}
}

func (m *mesh) remember(address string, now time.Time) {
	if address != "" {
		m.seen[address] = now
	}
}

// dial gives the server what it shall dial, if that has changed: seeds, and nodes that
// were lost once. One that only told of itself is left to the server until then; else
// any two nodes dialled each other. Nothing is taken back soon, because the server then
// closes the connection, and a node may come from another address than it has.
func (m *mesh) dial(s routed, settings func([]*url.URL) *server.Options, now time.Time) {
	for _, address := range m.found {
		m.seen[address] = now
	}
	for _, address := range m.others() {
		if _, ok := m.seen[address]; ok {
			m.seen[address] = now
		}
	}
	m.expire(now)
	want := slices.Sorted(maps.Keys(m.seen))
	if slices.Equal(want, m.dialled) {
		return
	}
	urls := make([]*url.URL, len(want))
	for i, address := range want {
		urls[i] = &url.URL{Scheme: "nats-route", Host: address}
	}
	if err := s.ReloadOptions(settings(urls)); err != nil {
		m.log.Error("cannot change the nodes to connect to", "error", err)
		return
	}
	m.dialled = want
	m.log.Debug("nodes to connect to", "addresses", want)
}

// expire drops addresses that were last seen too long ago, or before maxLost others
// that are gone as well.
func (m *mesh) expire(now time.Time) {
	var gone []string
	for address, last := range m.seen {
		if last.Before(now) {
			gone = append(gone, address)
		}
	}
	slices.SortFunc(gone, func(a, b string) int { return m.seen[b].Compare(m.seen[a]) })
	for i, address := range gone {
		if i >= maxLost || now.Sub(m.seen[address]) > lostFor {
			delete(m.seen, address)
		}
	}
}

// resolve finds the addresses of the seeds, again and again, and sends them when they
// have changed. What cannot be found keeps the addresses that it had.
func (m *mesh) resolve(ctx context.Context, found chan<- []string) {
	known := make(map[string][]string)
	var last []string
	tick := time.NewTicker(lookupInterval)
	defer tick.Stop()
	for {
		var all []string
		for _, seed := range m.seeds {
			if addresses, err := m.addresses(ctx, seed); err == nil {
				known[seed] = addresses
			} else if ctx.Err() == nil {
				m.log.Debug("cannot find a seed", "seed", seed, "error", err)
			}
			all = append(all, known[seed]...)
		}
		slices.Sort(all)
		if all = slices.Compact(all); !slices.Equal(all, last) {
			select {
			case found <- all:
				last = all
			case <-ctx.Done():
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// addresses returns where a seed is, as host:port with an IP address.
func (m *mesh) addresses(ctx context.Context, seed string) ([]string, error) {
	host, port, _ := net.SplitHostPort(seed)
	if net.ParseIP(host) != nil {
		return []string{seed}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	ips, err := m.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	all := make([]string, len(ips))
	for i, ip := range ips {
		all[i] = net.JoinHostPort(ip, port)
	}
	return all, nil
}
