package config

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// EngineEmbedded is the value of cluster.engine for nodes that need no other
// service.
const EngineEmbedded = "embedded"

// Cluster says how this node and others find each other and share what they know.
type Cluster struct {
	Engine string        `mapstructure:"engine"` // may hold a password; see [Cluster.Label]
	Prefix string        `mapstructure:"prefix"`
	Lease  time.Duration `mapstructure:"lease"`
	Node   string        `mapstructure:"node"` // "" for the name of the host

	// Of embedded only.
	Listen string      `mapstructure:"listen"`
	Seeds  []string    `mapstructure:"seeds"`
	Secret auth.Secret `mapstructure:"secret"` // "" for none

	TLS ClusterTLS `mapstructure:"tls"`

	ReplayEvents int           `mapstructure:"replay_events"`
	ReplayBytes  int           `mapstructure:"replay_bytes"`
	ReplayAge    time.Duration `mapstructure:"replay_age"`
	GapNotice    bool          `mapstructure:"gap_notice"`
}

// ClusterTLS names the files for connections to the engine, or between nodes.
type ClusterTLS struct {
	CAFile     string `mapstructure:"ca_file"`
	CertFile   string `mapstructure:"cert_file"`
	KeyFile    string `mapstructure:"key_file"`
	ServerName string `mapstructure:"server_name"`
}

// Enabled reports whether this is one of several nodes.
func (c Cluster) Enabled() bool { return c.Engine != "" }

// Embedded reports whether the nodes are joined without another service.
func (c Cluster) Embedded() bool { return c.Engine == EngineEmbedded }

// Redis reports whether the engine is a Redis or a Valkey.
func (c Cluster) Redis() bool { return slices.Contains(redisSchemes, engineScheme(c.Engine)) }

// Label returns the engine as it may stand in a log: without user, password,
// path and query.
func (c Cluster) Label() string {
	if !c.Enabled() || c.Embedded() {
		return c.Engine
	}
	labels := make([]string, 0, 1)
	for _, raw := range engineURLs(c.Engine) {
		u, err := url.Parse(raw)
		if err != nil {
			return auth.Secret(c.Engine).String()
		}
		labels = append(labels, u.Scheme+"://"+u.Host)
	}
	return strings.Join(labels, ",")
}

// hidden returns the engine without the parts that may be secret.
func (c Cluster) hidden() string {
	if !c.Enabled() || c.Embedded() {
		return c.Engine
	}
	var texts []string
	for _, raw := range engineURLs(c.Engine) {
		texts = append(texts, withoutCredentials(raw))
	}
	return strings.Join(texts, ",")
}

// SeedAddresses returns the seeds, each with a port: that of listen where none is
// given.
func (c Cluster) SeedAddresses() []string {
	_, port, err := net.SplitHostPort(c.Listen)
	all := make([]string, 0, len(c.Seeds))
	for _, seed := range c.Seeds {
		if _, _, without := net.SplitHostPort(seed); without != nil && err == nil {
			seed = net.JoinHostPort(strings.Trim(seed, "[]"), port)
		}
		all = append(all, seed)
	}
	return all
}

// Given reports whether any file is named.
func (t ClusterTLS) Given() bool { return t != ClusterTLS{} }

// Authorities reads ca_file as it is now and returns what is in it; nil, which
// means the system's authorities, if no file is named.
func (t ClusterTLS) Authorities() (*x509.CertPool, error) {
	if t.CAFile == "" {
		return nil, nil //nolint:nilnil // nil is the system's pool, as in crypto/tls
	}
	text, err := os.ReadFile(t.CAFile)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	pool := x509.NewCertPool()
	if err := appendCertificates(pool, text); err != nil {
		return nil, err
	}
	return pool, nil
}

const (
	engineLimits = "empty, `embedded`, or a URL that begins with `redis://`, `rediss://`, `valkey://`, `valkeys://`, `unix://`, `nats://` or `tls://`; several NATS servers with commas between"
	nameLimits   = "1 to 32 letters, digits, `_` and `-`"
	serverLimits = "empty, or the name of a host"
	nodeLimits   = "empty, or at most 64 letters, digits, `.`, `_` and `-`"
	seedLimits   = "addresses and names, with `:PORT` or without"
)

var (
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	nodePattern   = regexp.MustCompile(`^[A-Za-z0-9._-]{0,64}$`)

	redisSchemes = []string{"redis", "rediss", "valkey", "valkeys", "unix"}
	natsSchemes  = []string{"nats", "tls"}
	tlsSchemes   = []string{"rediss", "valkeys", "tls"}
)

// engineURLs returns the URLs of an engine that is not embedded. Of NATS servers
// there may be several.
func engineURLs(engine string) []string {
	if slices.Contains(natsSchemes, engineScheme(engine)) {
		return strings.Split(engine, ",")
	}
	return []string{engine} // its user, password or parameters may have commas
}

// checkEngine never repeats its value: it may hold a password.
func checkEngine(engine string) string {
	if engine == "" || engine == EngineEmbedded {
		return ""
	}
	const wrong = "must be empty, embedded, or a URL with a host that begins with redis://, rediss://, nats:// or tls:// (or valkey://, valkeys://, unix://)"
	schemes := make(map[string]bool)
	for _, raw := range engineURLs(engine) {
		u, err := url.Parse(raw)
		if err != nil || !hasServer(u) {
			return wrong
		}
		schemes[u.Scheme] = true
	}
	if len(schemes) > 1 {
		return "must not mix kinds of URLs"
	}
	return ""
}

// hasServer reports whether a URL names a kind of server that is known, and where
// it is.
func hasServer(u *url.URL) bool {
	switch {
	case u.Scheme == "unix":
		return u.Host == "" && strings.HasPrefix(u.Path, "/")
	case slices.Contains(redisSchemes, u.Scheme), slices.Contains(natsSchemes, u.Scheme):
		return isHost(u.Hostname())
	}
	return false
}

// isHost refuses what is probably two hosts, or a host and two ports.
func isHost(name string) bool {
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name != "" && !strings.ContainsAny(name, ",: ")
}

func checkPrefix(prefix string) string {
	if !prefixPattern.MatchString(prefix) {
		return "must be 1 to 32 letters, digits, _ and -, not " + quoted(prefix)
	}
	return ""
}

func checkNode(name string) string {
	if !nodePattern.MatchString(name) {
		return "must be at most 64 letters, digits, . _ and -, not " + quoted(name)
	}
	return ""
}

func checkServerName(name string) string {
	if name != "" && !hostNamePattern.MatchString(name) {
		return "must be the name of a host, not " + quoted(name)
	}
	return ""
}

// checkClusterListen takes what other nodes can be told.
func checkClusterListen(address string) string {
	if address == "" {
		return ""
	}
	if wrong := checkListen(address); wrong != "" {
		return wrong
	}
	if _, port, _ := net.SplitHostPort(address); port == "0" {
		return "must have a port that other nodes can be told, not 0"
	}
	return ""
}

func checkSeed(seed string) string {
	address := seed
	if _, _, err := net.SplitHostPort(seed); err != nil {
		address = net.JoinHostPort(strings.Trim(seed, "[]"), "1")
	}
	host, port, _ := net.SplitHostPort(address)
	if host == "" || port == "0" || checkListen(address) != "" {
		return "must list addresses or names of other nodes, with :PORT or without, not " + quoted(seed)
	}
	return ""
}

// checkCluster looks at what belongs together.
func (c *Config) checkCluster(found *faults) {
	k := &c.Cluster
	c.checkClusterEmbedded(found)
	if k.Enabled() && len(c.Apps) == 0 && !listensOnLoopback(c.Listen) {
		found.add("apps", "", "is missing: every node of a cluster would make credentials of its own")
	}
	if k.TLS.Given() && !k.Embedded() && !slices.Contains(tlsSchemes, engineScheme(k.Engine)) {
		found.add("cluster.tls", "", "is for embedded and for URLs that begin with rediss://, valkeys:// or tls://")
		return
	}
	if _, err := k.TLS.Authorities(); err != nil {
		found.add("cluster.tls.ca_file", "", err.Error())
	}
	checkPair(found, pemFile{"cluster.tls.cert_file", k.TLS.CertFile}, pemFile{"cluster.tls.key_file", k.TLS.KeyFile})
	if k.Embedded() && k.TLS.Given() { // both ends of a connection show a certificate
		for _, file := range []pemFile{{"cluster.tls.ca_file", k.TLS.CAFile}, {"cluster.tls.cert_file", k.TLS.CertFile}} {
			if file.name == "" {
				found.add(file.path, "", "is missing: nodes show each other certificates")
			}
		}
	}
}

func (c *Config) checkClusterEmbedded(found *faults) {
	k := &c.Cluster
	if k.Embedded() {
		if k.Listen == "" {
			found.add("cluster.listen", "", "is missing: with the engine embedded, other nodes connect to it")
		}
		c.checkClusterPort(found)
		return
	}
	const only = "is only for the engine embedded"
	if k.Listen != "" {
		found.add("cluster.listen", "", only)
	}
	if len(k.Seeds) > 0 {
		found.add("cluster.seeds", "", only)
	}
	if k.Secret != "" {
		found.add("cluster.secret", "", only)
	}
}

func (c *Config) checkClusterPort(found *faults) {
	host, port, err := net.SplitHostPort(c.Cluster.Listen)
	if err != nil {
		return
	}
	taken := func(name, other string) {
		otherHost, otherPort, err := net.SplitHostPort(other)
		if err == nil && otherPort == port && (host == otherHost || host == "" || otherHost == "") {
			found.add("cluster.listen", "", "must not be the port of "+name+", "+port)
		}
	}
	taken("listen", c.Listen)
	taken("ops.listen", c.Ops.Listen)
}

// engineScheme returns how the URL of an engine begins; "" if it is none.
func engineScheme(engine string) string {
	scheme, _, _ := strings.Cut(engine, "://")
	return scheme
}

// openToOthers reports whether whoever reaches the port of an embedded engine can
// join the cluster.
func (c Cluster) openToOthers() bool {
	return c.Embedded() && c.Secret == "" && !c.TLS.Given() && !listensOnLoopback(c.Listen)
}
