package ratelimit

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Shards keep connections that arrive at once from queueing for one mutex.
const (
	addressShards   = 64
	addressPerShard = 1024
)

// MaxAddresses is how many addresses a [PerAddress] can remember, up to the
// unevenness of their spread over shards. It then holds some 2 MiB.
const MaxAddresses = addressShards * addressPerShard

// PerAddress applies one limit to each network address by itself. IPv6 addresses
// count by their /64, which is what one customer commonly has; IPv4-mapped ones
// count as IPv4.
//
// Its memory is bounded. An address is forgotten when its bucket is full again,
// which loses nothing, as soon as its place is needed. Where every place is
// taken by an address that still owes tokens, a newcomer is admitted without
// being remembered and counted in [PerAddress.Untracked]: refusing would let
// anyone with enough addresses shut out everybody else.
type PerAddress struct {
	limit  Limit
	seed   maphash.Seed
	shards []addressShard

	untracked atomic.Uint64
}

type addressShard struct {
	capacity int // set by New, immutable

	mu sync.Mutex
	// guarded by mu
	fullAt map[network]int64 // as in Bucket
	// No entry is full before this instant: buckets in use only fill later.
	noneFullBefore int64
}

// network is what of an address counts: the upper half of an IPv6 address, or
// an IPv4 address put below 0:1::/32, where no IPv6 host can be.
type network uint64

// NewPerAddress returns a limiter with nobody in it.
func NewPerAddress(l Limit) *PerAddress {
	return newPerAddress(l, addressShards, addressPerShard)
}

func newPerAddress(l Limit, shards, perShard int) *PerAddress {
	p := &PerAddress{limit: l, seed: maphash.MakeSeed(), shards: make([]addressShard, shards)}
	for i := range p.shards {
		p.shards[i].capacity = perShard
		p.shards[i].fullAt = make(map[network]int64)
		p.shards[i].noneFullBefore = math.MinInt64
	}
	return p
}

// Allow takes a token of the address if there is one and reports whether there
// was. It does not block beyond a short critical section.
func (p *PerAddress) Allow(addr netip.Addr, now time.Time) bool {
	if p.limit.Unlimited() {
		return true
	}
	key := networkOf(addr)
	s := &p.shards[maphash.Comparable(p.seed, key)%uint64(len(p.shards))]
	allowed, tracked := s.allow(key, p.limit, sinceEpoch(now))
	if !tracked {
		p.untracked.Add(1)
	}
	return allowed
}

// Untracked returns how many calls of Allow were admitted because there was no
// place to remember their address.
func (p *PerAddress) Untracked() uint64 { return p.untracked.Load() }

// Len returns how many addresses are remembered.
func (p *PerAddress) Len() int {
	n := 0
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.Lock()
		n += len(s.fullAt)
		s.mu.Unlock()
	}
	return n
}

func (s *addressShard) allow(key network, l Limit, at int64) (allowed, tracked bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.fullAt[key]
	if !known && len(s.fullAt) >= s.capacity && !s.forgetLocked(at) {
		return true, false
	}
	next := spend(old, at, l)
	if next-at > l.tolerance {
		return false, true
	}
	s.fullAt[key] = next
	s.noneFullBefore = min(s.noneFullBefore, next)
	return true, true
}

// forgetLocked makes room by dropping every address whose bucket is full again
// and reports whether there were any. It looks through the whole shard, but not
// again before the first of the remaining ones can be full.
func (s *addressShard) forgetLocked(at int64) bool {
	if at < s.noneFullBefore {
		return false
	}
	first := int64(math.MaxInt64)
	for key, fullAt := range s.fullAt {
		if fullAt <= at {
			delete(s.fullAt, key)
			continue
		}
		first = min(first, fullAt)
	}
	s.noneFullBefore = first
	return len(s.fullAt) < s.capacity
}

func networkOf(addr netip.Addr) network {
	addr = addr.Unmap()
	if addr.Is4() {
		raw := addr.As4()
		return network(1<<32 | uint64(binary.BigEndian.Uint32(raw[:])))
	}
	raw := addr.As16()
	return network(binary.BigEndian.Uint64(raw[:8]))
}
