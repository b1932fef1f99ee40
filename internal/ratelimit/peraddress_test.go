package ratelimit

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// host returns the i-th of 65,536 IPv4 addresses.
func host(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
}

func TestPerAddressIdentity(t *testing.T) {
	tests := []struct {
		name   string
		a, b   string
		shared bool
	}{
		{"one IPv4 address", "192.0.2.1", "192.0.2.1", true},
		{"neighbouring IPv4 addresses", "192.0.2.1", "192.0.2.2", false},
		{"an IPv4 address and its mapped form", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"two mapped IPv4 addresses", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
		{"one IPv6 /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"neighbouring IPv6 /64s", "2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"IPv6 that looks like IPv4 in its lower half", "2001:db8::192.0.2.1", "192.0.2.1", false},
		{"zones of one link-local network", "fe80::1%eth0", "fe80::1%eth1", true},
		{"loopbacks", "127.0.0.1", "::1", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, now := NewPerAddress(PerSecond(1, 1)), time.Now()
			if !p.Allow(netip.MustParseAddr(tt.a), now) {
				t.Fatalf("first connection of %s refused", tt.a)
			}
			if got := !p.Allow(netip.MustParseAddr(tt.b), now); got != tt.shared {
				t.Fatalf("%s shares the bucket of %s: %v, want %v", tt.b, tt.a, got, tt.shared)
			}
		})
	}
	t.Run("the invalid address does not panic", func(t *testing.T) {
		p := NewPerAddress(PerSecond(1, 1))
		if !p.Allow(netip.Addr{}, time.Now()) {
			t.Fatal("refused")
		}
	})
}

func TestPerAddressRate(t *testing.T) {
	p, now := NewPerAddress(PerSecond(10, 10)), time.Now()
	count := func(tries int) (passed int) {
		for range tries {
			if p.Allow(host(1), now) {
				passed++
			}
		}
		return passed
	}
	if got := count(20); got != 10 {
		t.Fatalf("%d passed at once, want 10", got)
	}
	now = now.Add(100 * time.Millisecond)
	if got := count(20); got != 1 {
		t.Fatalf("%d passed after 100 ms, want 1", got)
	}
	if !p.Allow(host(2), now) {
		t.Fatal("another address was limited too")
	}
}

func TestPerAddressUnlimited(t *testing.T) {
	p := NewPerAddress(Limit{})
	for range 100 {
		if !p.Allow(host(1), time.Now()) {
			t.Fatal("refused without a limit")
		}
	}
	if p.Len() != 0 {
		t.Fatalf("%d addresses remembered without a limit", p.Len())
	}
}

// Wall clocks of fake-time tests lie before the process began.
func TestPerAddressWhenFull(t *testing.T) {
	for name, start := range map[string]time.Time{
		"monotonic":  time.Now(),
		"wall clock": time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			p, now := newPerAddress(PerSecond(10, 2), 1, 4), start
			for i := range 4 {
				p.Allow(host(i), now.Add(time.Duration(i)*10*time.Millisecond))
			}
			now = now.Add(40 * time.Millisecond)

			// Admitted, counted, not remembered, and nobody else forgotten.
			for range 3 {
				if !p.Allow(host(9), now) {
					t.Fatal("a newcomer was refused for want of room")
				}
			}
			if p.Untracked() != 3 || p.Len() != 4 {
				t.Fatalf("untracked %d, len %d, want 3, 4", p.Untracked(), p.Len())
			}
			if !p.Allow(host(0), now) || p.Allow(host(0), now) {
				t.Fatal("a remembered address did not keep its state")
			}

			// Host 1 is idle again after 110 ms, host 0 has used another token.
			now = start.Add(110 * time.Millisecond)
			passed := 0
			for range 3 {
				if p.Allow(host(9), now) {
					passed++
				}
			}
			if passed != 2 {
				t.Fatal("the newcomer was not remembered although a place was idle")
			}
			if p.Untracked() != 3 || p.Len() != 4 {
				t.Fatalf("untracked %d, len %d, want still 3, 4", p.Untracked(), p.Len())
			}
		})
	}
}

// A flood of addresses neither grows the memory nor frees the offender.
func TestPerAddressIsBounded(t *testing.T) {
	p, now := NewPerAddress(PerSecond(1, 1)), time.Now()
	if !p.Allow(host(0), now) {
		t.Fatal("first connection refused")
	}
	for i := range 2 * MaxAddresses {
		var raw [16]byte
		binary.BigEndian.PutUint64(raw[:8], 0x20010db8<<32|uint64(i))
		p.Allow(netip.AddrFrom16(raw), now)
	}
	if n := p.Len(); n > MaxAddresses {
		t.Fatalf("%d addresses remembered, at most %d may be", n, MaxAddresses)
	}
	if want := uint64(2*MaxAddresses + 1 - p.Len()); p.Untracked() != want {
		t.Fatalf("untracked %d, want %d: every call that is not remembered", p.Untracked(), want)
	}
	if p.Allow(host(0), now) {
		t.Fatal("the flood made the limiter forget an address in debt")
	}
}

// While there is room, the limiter decides as one bucket per address would;
// when there is none it may only be more generous.
func TestPerAddressAgreesWithBuckets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, now := PerSecond(10, 3), time.Now()
		p := newPerAddress(l, 2, 4)
		var buckets [12]Bucket
		for i := range rapid.IntRange(1, 200).Draw(t, "calls") {
			who := rapid.IntRange(0, len(buckets)-1).Draw(t, "who")
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(60*time.Millisecond)).Draw(t, "gap")))
			before := p.Untracked()
			got := p.Allow(host(who), now)
			if p.Untracked() > before {
				if !got {
					t.Fatalf("call %d: untracked and refused", i)
				}
				continue
			}
			if want := buckets[who].Allow(l, now); got != want {
				t.Fatalf("call %d: allowed %v, want %v", i, got, want)
			}
		}
	})
}

func TestPerAddressConcurrently(t *testing.T) {
	p, now := NewPerAddress(PerSecond(10, 5)), time.Now()
	var passed atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 400 {
				if p.Allow(host(i%100), now) {
					passed.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if passed.Load() != 500 || p.Len() != 100 {
		t.Fatalf("%d passed, %d addresses, want 100 bursts of 5", passed.Load(), p.Len())
	}
}

func BenchmarkPerAddress(b *testing.B) {
	b.Run("known", func(b *testing.B) {
		p, now := NewPerAddress(PerSecond(500, 5000)), time.Now()
		b.ReportAllocs()
		for b.Loop() {
			p.Allow(host(1), now)
		}
	})
	// The worst case: full of addresses in debt, one of which is idle now and then.
	b.Run("flooded", func(b *testing.B) {
		p, now := NewPerAddress(PerSecond(1, 10)), time.Now()
		i := 0
		b.ReportAllocs()
		for b.Loop() {
			i++
			now = now.Add(5 * time.Microsecond)
			p.Allow(netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}), now)
		}
	})
}
