package config

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestEngines(t *testing.T) {
	for engine, c := range map[string]struct {
		valid          bool
		label, printed string
	}{
		"":                                       {true, "", `""`},
		"embedded":                               {true, "embedded", "embedded"},
		"redis://127.0.0.1:6379/0":               {true, "redis://127.0.0.1:6379", "redis://127.0.0.1:6379/0"},
		"redis://:sesame@h":                      {true, "redis://h", `"redis://<secret>@h"`},
		"valkeys://:sesame@h":                    {true, "valkeys://h", `"valkeys://<secret>@h"`},
		"unix:///run/redis.sock?password=sesame": {true, "unix://", `"unix:///run/redis.sock?<secret>"`},
		"unix://run/redis.sock":                  {false, "unix://run", ""},
		"redis://s1:26379?addr=s2:26379&master_set=m": {true, "redis://s1:26379", `"redis://s1:26379?<secret>"`},
		"rediss://u:sesame,1@h:1/2":                   {true, "rediss://h:1", `"rediss://<secret>@h:1/2"`},
		"redis://h:1?password=sesame":                 {true, "redis://h:1", `"redis://h:1?<secret>"`},
		"nats://u:sesame@a:1,nats://b":                {true, "nats://a:1,nats://b", `"nats://<secret>@a:1,nats://b"`},
		"tls://sesame@[::1]:4222":                     {true, "tls://[::1]:4222", `"tls://<secret>@[::1]:4222"`},
		"redis://u:sesame@h:1:2":                      {false, "redis://h:1:2", ""},
		"nats://a:1,,nats://u:sesame@b:1":             {false, "nats://a:1,://,nats://b:1", ""},
		"nats://u:sesame@a,redis://b":                 {false, "nats://a,redis://b", ""},
		"http://u:sesame@h":                           {false, "http://h", ""},
		"redis://":                                    {false, "redis://", ""},
		"redis://u:sesame@h,i":                        {false, "redis://h,i", ""},
		"redis://u:sesame@h:x":                        {false, "<secret>", ""},
		"nats://u:sesame@a:1,b:2":                     {false, "nats://a:1,b://", ""},
		"Embedded":                                    {false, "://", ""},
	} {
		t.Run(engine, func(t *testing.T) {
			wrong := checkEngine(engine)
			if (wrong == "") != c.valid || strings.Contains(wrong, "sesame") {
				t.Errorf("checked as %q", wrong)
			}
			if label := (Cluster{Engine: engine}).Label(); label != c.label {
				t.Errorf("label %q, want %q", label, c.label)
			}
			var out bytes.Buffer
			if err := Print(&out, &Config{Cluster: Cluster{Engine: engine}}, nil); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "sesame") || c.printed != "" && !strings.Contains(out.String(), "  engine: "+c.printed+"  #") {
				t.Errorf("printed without %q in\n%s", c.printed, out.String())
			}
		})
	}
}

func TestSeedAddresses(t *testing.T) {
	c := Cluster{Listen: ":6222", Seeds: []string{"10.0.0.1", "10.0.0.2:7", "nodes.example.com", "::1", "[::2]", "[::3]:8"}}
	for _, seed := range c.Seeds {
		if wrong := checkSeed(seed); wrong != "" {
			t.Errorf("%s %s", seed, wrong)
		}
	}
	want := []string{"10.0.0.1:6222", "10.0.0.2:7", "nodes.example.com:6222", "[::1]:6222", "[::2]:6222", "[::3]:8"}
	if got := c.SeedAddresses(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, seed := range []string{"", ":7", "a b", "10.0.0.1:0", "10.0.0.256", "nats://a:1", "a:b"} {
		if wrong := checkSeed(seed); wrong == "" {
			t.Errorf("%q is taken for a seed", seed)
		}
	}
}

func TestAuthorities(t *testing.T) {
	pair := certificate()
	if pool, err := (ClusterTLS{CAFile: write(t, "ca.pem", string(pair.cert))}).Authorities(); err != nil || pool == nil {
		t.Errorf("got %v, %v", pool, err)
	}
	if pool, err := (ClusterTLS{}).Authorities(); err != nil || pool != nil {
		t.Errorf("without a file: got %v, %v, want the system's", pool, err)
	}
	if _, err := (ClusterTLS{CAFile: "none"}).Authorities(); err == nil {
		t.Error("a missing file is no error")
	}
}

func TestOpenClusterPortsAreWarnedOf(t *testing.T) {
	for name, c := range map[string]struct {
		cluster Cluster
		warned  bool
	}{
		"loopback":                   {Cluster{Engine: EngineEmbedded, Listen: "127.0.0.1:6222"}, false},
		"every address":              {Cluster{Engine: EngineEmbedded, Listen: ":6222"}, true},
		"every address and a secret": {Cluster{Engine: EngineEmbedded, Listen: ":6222", Secret: "0123456789abcdef"}, false},
		"every address and TLS":      {Cluster{Engine: EngineEmbedded, Listen: ":6222", TLS: ClusterTLS{CAFile: "f"}}, false},
		"another engine":             {Cluster{Engine: "nats://h"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			warnings := (&Config{Listen: "127.0.0.1:6001", Cluster: c.cluster}).Warnings()
			if got := len(warnings) == 1 && strings.HasPrefix(warnings[0], "cluster.listen: is open"); got != c.warned || !c.warned && len(warnings) > 0 {
				t.Errorf("warnings %q", warnings)
			}
		})
	}
}
