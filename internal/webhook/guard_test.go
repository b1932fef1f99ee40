package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

var refusedAddresses = map[string]string{
	"loopback":                          "127.0.0.1",
	"far loopback":                      "127.255.255.254",
	"loopback 6":                        "::1",
	"unspecified":                       "0.0.0.0",
	"this network":                      "0.1.2.3",
	"unspecified 6":                     "::",
	"private 10":                        "10.0.0.1",
	"private 172":                       "172.16.0.1",
	"end of private 172":                "172.31.255.255",
	"private 192":                       "192.168.1.1",
	"shared address space":              "100.64.0.1",
	"end of shared address space":       "100.127.255.254",
	"metadata":                          "169.254.169.254",
	"container metadata":                "169.254.170.2",
	"metadata in shared address space":  "100.100.100.200",
	"metadata in protocol assignments":  "192.0.0.192",
	"platform address":                  "168.63.129.16",
	"metadata 6":                        "fd00:ec2::254",
	"link-local":                        "169.254.0.1",
	"link-local 6":                      "fe80::1",
	"link-local 6 with zone":            "fe80::1%eth0",
	"site-local 6":                      "fec0::1",
	"unique local":                      "fc00::1",
	"unique local, common half":         "fd12:3456:789a::1",
	"multicast":                         "224.0.0.1",
	"multicast 6":                       "ff02::1",
	"broadcast":                         "255.255.255.255",
	"reserved":                          "240.0.0.1",
	"benchmarking":                      "198.18.0.1",
	"documentation":                     "192.0.2.1",
	"documentation 2":                   "198.51.100.1",
	"documentation 3":                   "203.0.113.1",
	"documentation 6":                   "2001:db8::1",
	"relay anycast":                     "192.88.99.1",
	"mapped loopback":                   "::ffff:127.0.0.1",
	"mapped private":                    "::ffff:10.0.0.1",
	"mapped metadata in hexadecimal":    "::ffff:a9fe:a9fe",
	"compatible loopback":               "::127.0.0.1",
	"translated loopback":               "::ffff:0:127.0.0.1",
	"NAT64 loopback":                    "64:ff9b::7f00:1",
	"NAT64 private":                     "64:ff9b::10.0.0.1",
	"local NAT64":                       "64:ff9b:1::10.0.0.1",
	"6to4 loopback":                     "2002:7f00:1::",
	"Teredo":                            "2001:0:7f00:1::1",
	"discard":                           "100::1",
	"outside of global unicast":         "4000::1",
	"segment routing":                   "5f00::1",
	"documentation 6, new":              "3fff::1",
	"loopback 6 with every digit shown": "0000:0000:0000:0000:0000:0000:0000:0001",
}

func control(t *testing.T, g guard, address string) error {
	t.Helper()
	addr, err := netip.ParseAddr(address)
	if err != nil {
		t.Fatal(err)
	}
	network := "tcp4"
	if addr.Is6() {
		network = "tcp6"
	}
	return g.control(network, netip.AddrPortFrom(addr, 8080).String(), nil)
}

func TestGuardRefuses(t *testing.T) {
	g := newGuard(nil)
	for name, address := range refusedAddresses {
		t.Run(name, func(t *testing.T) {
			err := control(t, g, address)
			if !errors.Is(err, errRefusedAddress) {
				t.Errorf("%s: got %v, want a refusal", address, err)
			}
			everything := newGuard([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")})
			if err := control(t, everything, address); err != nil {
				t.Errorf("%s is refused although everything is listed: %v", address, err)
			}
		})
	}
}

func TestGuardAllowsPublicAddresses(t *testing.T) {
	g := newGuard(nil)
	for _, address := range []string{
		"8.8.8.8", "1.1.1.1", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.255.255", "172.32.0.1",
		"169.253.1.1", "168.63.129.17", "223.255.255.254", "2606:4700:4700::1111", "2a00:1450:4001::1",
	} {
		if err := control(t, g, address); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestGuardAllowList(t *testing.T) {
	g := newGuard([]netip.Prefix{
		netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::ffff:192.168.7.0/120"),
		netip.MustParsePrefix("fd00:7::/32"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("127.0.0.1/8"),
	})
	for address, allowed := range map[string]bool{
		"10.1.2.3": true, "10.2.0.1": false,
		"192.168.7.9": true, "192.168.8.9": false,
		"fd00:7::1": true, "fd00:8::1": false,
		"fe80::1%eth0": true,
		"127.9.9.9":    true, "::1": false, "::ffff:10.1.2.3": false,
		"8.8.8.8": true, "169.254.169.254": false,
	} {
		if err := control(t, g, address); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed %v", address, err, allowed)
		}
	}
}

func TestGuardRefusesWhatItCannotJudge(t *testing.T) {
	g := newGuard([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")})
	for _, c := range [][2]string{{"unix", "/run/x.sock"}, {"udp4", "8.8.8.8:53"}, {"tcp4", "localhost:80"}, {"tcp4", ""}} {
		if err := g.control(c[0], c[1], nil); !errors.Is(err, errRefusedAddress) {
			t.Errorf("%v: got %v, want a refusal", c, err)
		}
	}
}

// Whole requests to spellings of forbidden hosts, with a name server that answers
// anything with loopback. Where a name is looked up, what comes out is judged;
// numbers in odd spellings are not even looked up.
func TestForbiddenHostsAreNotConnected(t *testing.T) {
	var connected atomic.Int32
	url, _ := rawReceiver(t, func(net.Conn) { connected.Add(1) })
	_, port, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/in"), ":")
	resolver := newResolver(t, func(string) netip.Addr { return netip.MustParseAddr("127.0.0.1") })
	o := Options{Resolver: resolver, Timeout: 5 * time.Second}.withDefaults()
	s := &sender{transport: o.Transport, timeout: o.Timeout}
	t.Cleanup(s.closeIdle)
	for host, want := range map[string]Outcome{
		"127.0.0.1": RefusedAddress, "[::ffff:127.0.0.1]": RefusedAddress, "[::ffff:7f00:1]": RefusedAddress,
		"0.0.0.0": RefusedAddress, "localhost": RefusedAddress, "LOCALHOST": RefusedAddress, "localhost.": RefusedAddress,
		"localhost.localdomain": RefusedAddress, "internal.example": RefusedAddress, "127.0.0.1.nip.example": RefusedAddress,
		"0x7f000001": RefusedAddress, "0x7f.0.0.1": RefusedAddress, "user:pass@127.0.0.1": RefusedAddress,
		"hooks.example@127.0.0.1": RefusedAddress,

		"127.1": NotConnected, "127.0.1": NotConnected, "2130706433": NotConnected, "017700000001": NotConnected,
		"0177.0.0.1": NotConnected, "127.0.0.1.": NotConnected, "0": NotConnected, "%31%32%37.0.0.1": NotConnected,
	} {
		t.Run(host, func(t *testing.T) {
			a := s.post(t.Context(), samplePayload("http://"+host+":"+port+"/"))
			if a.outcome != want {
				t.Errorf("ended %s: %v, want %s", a.outcome, a.err, want)
			}
		})
	}
	if n := connected.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// A name whose first answer is public and whose next one is not is judged by the
// one that is dialled.
func TestRebindingNameIsRefused(t *testing.T) {
	var asked atomic.Int32
	resolver := newResolver(t, func(string) netip.Addr {
		if asked.Add(1) == 1 {
			return netip.MustParseAddr("93.184.216.34")
		}
		return netip.MustParseAddr("127.0.0.1")
	})
	var connected atomic.Int32
	url, _ := rawReceiver(t, func(net.Conn) { connected.Add(1) })
	url = strings.Replace(url, "127.0.0.1", "rebind.example", 1)

	checked, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example")
	if err != nil || len(checked) != 1 || newGuard(nil).control("tcp4", checked[0].Unmap().String()+":80", nil) != nil {
		t.Fatalf("a check before connecting finds %v, %v; want a public address", checked, err)
	}
	o := Options{Resolver: resolver}.withDefaults()
	s := &sender{transport: o.Transport, timeout: o.Timeout}
	t.Cleanup(s.closeIdle)
	if a := s.post(t.Context(), samplePayload(url)); a.outcome != RefusedAddress {
		t.Errorf("ended %s: %v, want %s", a.outcome, a.err, RefusedAddress)
	}
	if connected.Load() != 0 {
		t.Error("it was connected")
	}
}

// The log tells once per endpoint, and names the setting and not the URL's
// secrets. The attempt is retried like any other.
func TestRefusalIsLoggedOnce(t *testing.T) {
	var log lockedBuffer
	refusals := make(chan struct{}, 16)
	app := newApp("1", apps.Endpoint{URL: "http://user:hunter2@127.0.0.1:9/in?token=hunter2"})
	o := Options{}.withDefaults()
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	o.Transport = signalling{o.Transport.RoundTrip, refusals}
	d := start(t, o)
	d.Emit(edgeNotice(app, hub.ChannelOccupied, "a", ""))
	d.Emit(edgeNotice(app, hub.ChannelOccupied, "b", ""))
	for range 3 { // two first attempts and a retry
		select {
		case <-refusals:
		case <-time.After(10 * time.Second):
			t.Fatal("no attempt")
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_ = d.Close(ended)
	text := log.String()
	if n := strings.Count(text, "webhooks.allow_addresses"); n != 1 {
		t.Errorf("told %d times:\n%s", n, text)
	}
	if strings.Contains(text, "hunter2") || !strings.Contains(text, "url=http://127.0.0.1:9/in") {
		t.Errorf("log:\n%s", text)
	}
}
