package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
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
	"end of this network":               "0.255.255.255",
	"broadcast of a private network":    "10.255.255.255",
	"site-local multicast":              "239.255.255.250",
	"anycast of AS112":                  "192.175.48.1",
	"multicast relays":                  "192.52.193.1",
	"another metadata 6":                "fd20:ce::254",
	"a third metadata 6":                "fd00:c1::a9fe:a9fe",
	"loopback in upper case and hex":    "::FFFF:7F00:0001",
	"mapped platform address":           "::ffff:168.63.129.16",
	"mapped broadcast":                  "::ffff:255.255.255.255",
	"multicast 6 of the site":           "ff05::1:3",
	"NAT64 metadata":                    "64:ff9b::a9fe:a9fe",
	"NAT64 public":                      "64:ff9b::8.8.8.8",
	"6to4 private":                      "2002:a00:1::1",
	"6to4 metadata":                     "2002:a9fe:a9fe::a9fe:a9fe",
	"6to4 public":                       "2002:808:808::1",
	"Teredo of a private server":        "2001:0:a00:1:0:efff:f5ff:fffe",
	"ISATAP loopback":                   "2606:4700::5efe:127.0.0.1",
	"ISATAP private":                    "2606:4700:1:2:0:5efe:a00:1",
	"ISATAP metadata, globally unique":  "2a00:1450::200:5efe:169.254.169.254",
	"ISATAP platform address":           "2a00:1450::5efe:168.63.129.16",
	"ORCHID":                            "2001:20::1",
	"benchmarking 6":                    "2001:2::1",
	"anycast of AS112 6":                "2620:4f:8000::1",
	"old site prefix":                   "fe80:ffff::1",
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
		"2606:4700::5efe:8.8.8.8", "2606:4700::5eff:10.0.0.1", "2606:4700::1:5efe:a00:1", "2001:200::1", "2003::1",
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

// On a network with DNS64 the prefix of NAT64 has to be listed. That does not list
// what the gateway may reach.
func TestGuardLooksIntoListedTunnels(t *testing.T) {
	g := newGuard([]netip.Prefix{
		netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("10.1.0.0/16"),
	})
	for address, allowed := range map[string]bool{
		"64:ff9b::8.8.8.8": true, "64:ff9b::127.0.0.1": false, "64:ff9b::10.0.0.1": false, "64:ff9b::169.254.169.254": false,
		"64:ff9b::168.63.129.16": false, "64:ff9b::10.1.2.3": true, "64:ff9b:1::8.8.8.8": false,
		"2002:808:808::1": true, "2002:7f00:1::1": false, "2002:a00:1::1": false, "2002:a01:203::1": true,
		"2606:4700::5efe:10.1.2.3": true, "2606:4700::5efe:10.2.2.3": false,
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
		"hooks.example@127.0.0.1": RefusedAddress, "127.0.0.1@hooks.example": RefusedAddress, "a:b%40hooks.example@127.0.0.1": RefusedAddress,
		"hooks.example.": RefusedAddress, "127-0-0-1.sslip.example": RefusedAddress, "ip6-localhost": RefusedAddress, "localhost6": RefusedAddress,
		"[::1]": RefusedAddress, "[::]": RefusedAddress, "[0:0:0:0:0:0:0:1]": RefusedAddress, "[0000::0001]": RefusedAddress,
		"[::127.0.0.1]": RefusedAddress, "[::ffff:0:127.0.0.1]": RefusedAddress, "[::FFFF:7F00:1]": RefusedAddress,
		"[fe80::1%25lo]": RefusedAddress, "[::1%25lo]": RefusedAddress, "[64:ff9b::7f00:1]": RefusedAddress, "[2002:7f00:1::]": RefusedAddress,
		"[2001:0:7f00:1::1]": RefusedAddress, "[fd00:ec2::254]": RefusedAddress, "[ff02::1]": RefusedAddress,
		"169.254.169.254": RefusedAddress, "255.255.255.255": RefusedAddress, "224.0.0.1": RefusedAddress, "100.100.100.200": RefusedAddress,
		"①②⑦.⓪.⓪.①": RefusedAddress, "127。0。0。1": RefusedAddress, "ｌｏｃａｌｈｏｓｔ": RefusedAddress,

		"[127.0.0.1]": NotConnected, "[::1": NotConnected, "127.0.0.1\\@hooks.example": NotConnected, "127.0.0.1 ": NotConnected,
		"127.0.0.1\t": NotConnected, "127.0.0.1%00": NotConnected, "127.0.0.1%0d%0a": NotConnected, "..": NotConnected,
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

// trapOn listens at an address and counts connections.
func trapOn(t *testing.T, address string, answer string) (port string, connected *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("this machine cannot listen at %s: %v", address, err)
	}
	connected = &atomic.Int32{}
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				connected.Add(1)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if answer != "" {
				w.Header().Set("Location", answer)
				w.WriteHeader(http.StatusTemporaryRedirect)
			}
		}),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
	})
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	return port, connected
}

// Of a name's addresses only the allowed ones are connected, in whatever order
// and of whatever kind they come.
func TestNameWithMixedAddresses(t *testing.T) {
	port, forbidden := trapOn(t, "127.0.0.1:0", "")
	_, allowed := trapOn(t, "127.0.0.2:"+port, "")
	ips := func(texts ...string) (all []netip.Addr) {
		for _, text := range texts {
			all = append(all, netip.MustParseAddr(text))
		}
		return all
	}
	zone := map[string][]netip.Addr{
		"first.example":   ips("127.0.0.2", "127.0.0.1", "::1"),
		"last.example":    ips("127.0.0.1", "::1", "10.0.0.1", "127.0.0.2"),
		"only6.example":   ips("::1", "fe80::1", "fd00::1", "::ffff:127.0.0.1"),
		"none.example":    ips("::1", "127.0.0.1", "169.254.169.254", "64:ff9b::7f00:2"),
		"nothing.example": nil,
	}
	o := Options{
		Resolver: newZone(t, func(name string) []netip.Addr { return zone[name] }),
		Allow:    []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")},
		Timeout:  5 * time.Second,
	}.withDefaults()
	s := &sender{transport: o.Transport, timeout: o.Timeout}
	t.Cleanup(s.closeIdle)
	for name, want := range map[string]Outcome{
		"first.example": Delivered, "last.example": Delivered, "last.example.": Delivered, "user@last.example": Delivered,
		"only6.example": RefusedAddress, "none.example": RefusedAddress, "none.example.": RefusedAddress, "nothing.example": NotConnected,
	} {
		if a := s.post(t.Context(), samplePayload("http://"+name+":"+port+"/")); a.outcome != want {
			t.Errorf("%s ended %s: %v, want %s", name, a.outcome, a.err, want)
		}
	}
	if n := forbidden.Load(); n != 0 {
		t.Errorf("%d connections to the forbidden address", n)
	}
	if allowed.Load() == 0 {
		t.Error("no connection to the allowed address")
	}
}

// A receiver that is allowed sends the server elsewhere: it does not go.
func TestRedirectToForbiddenAddressIsNotFollowed(t *testing.T) {
	port, forbidden := trapOn(t, "127.0.0.1:0", "")
	o := Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}, Timeout: 5 * time.Second}.withDefaults()
	s := &sender{transport: o.Transport, timeout: o.Timeout}
	t.Cleanup(s.closeIdle)
	for _, location := range []string{
		"http://127.0.0.1:" + port + "/", "//127.0.0.1:" + port + "/", "http://localhost:" + port, "http://[::ffff:127.0.0.1]:" + port,
		"http://169.254.169.254/latest/meta-data/", "file:///etc/passwd", "gopher://127.0.0.1:" + port, "/elsewhere",
	} {
		own, _ := trapOn(t, "127.0.0.2:0", location)
		if a := s.post(t.Context(), samplePayload("http://127.0.0.2:"+own+"/")); a.outcome != Status3xx || a.status != http.StatusTemporaryRedirect {
			t.Errorf("to %s: ended %s with %d: %v", location, a.outcome, a.status, a.err)
		}
	}
	if n := forbidden.Load(); n != 0 {
		t.Errorf("%d connections to the forbidden address", n)
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
