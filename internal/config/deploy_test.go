package config

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/viper"
)

// readYAML reads a file as a tree. Its keys come in small letters.
func readYAML(t *testing.T, name string) map[string]any {
	t.Helper()
	v := viper.New()
	v.SetConfigFile(name)
	if err := v.ReadInConfig(); err != nil {
		t.Fatal(err)
	}
	return v.AllSettings()
}

// readEnvFile reads lines such as NAME=value.
func readEnvFile(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			all[name] = value
		}
	}
	return all
}

var composeVariable = regexp.MustCompile(`\$\{([A-Z_]+)(:[-?])([^}]*)\}`)

// composed puts variables into a value of a compose file.
func composed(t *testing.T, value any, variables map[string]string) string {
	t.Helper()
	text, ok := value.(string)
	if !ok {
		t.Fatalf("%v is no text", value)
	}
	return composeVariable.ReplaceAllStringFunc(text, func(found string) string {
		parts := composeVariable.FindStringSubmatch(found)
		switch value := variables[parts[1]]; {
		case value != "":
			return value
		case parts[2] == ":-":
			return parts[3]
		}
		t.Errorf("%s is required: %s", parts[1], parts[3])
		return ""
	})
}

// Each node of the compose file starts with each of the files beside it.
func TestComposeFileOfACluster(t *testing.T) {
	const dir = "../../deploy/cluster/"
	services := readYAML(t, dir+"docker-compose.yml")["services"].(map[string]any)
	files := map[string]func(*Config) bool{
		"redis.env":    func(c *Config) bool { return c.Cluster.Label() == "redis://redis:6379" },
		"nats.env":     func(c *Config) bool { return c.Cluster.Label() == "nats://nats:4222" },
		"embedded.env": func(c *Config) bool { return slices.Contains(c.Cluster.SeedAddresses(), "node-3:6222") },
	}
	if found := glob(t, dir+"*.env"); len(found) != len(files) {
		t.Errorf("%d files, want %d", len(found), len(files))
	}
	for file, check := range files {
		variables := readEnvFile(t, dir+file)
		if service := variables["COMPOSE_PROFILES"]; service != "embedded" {
			if profiles := services[service].(map[string]any)["profiles"].([]any); len(profiles) != 1 || profiles[0] != service {
				t.Errorf("%s starts %v", file, profiles)
			}
		}
		maps.Copy(variables, map[string]string{
			"PIPESOCKETD_APP_KEY": "k", "PIPESOCKETD_APP_SECRET": "0123456789abcdef", "PIPESOCKETD_CLUSTER_SECRET": "",
		})
		if file == "embedded.env" {
			variables["PIPESOCKETD_CLUSTER_SECRET"] = "0123456789abcdef"
		}
		for _, node := range []string{"node-1", "node-2", "node-3"} {
			t.Run(file+" "+node, func(t *testing.T) {
				environ := []string{"PIPESOCKETD_LISTEN=0.0.0.0:6001"} // of the image
				for name, value := range services[node].(map[string]any)["environment"].(map[string]any) {
					environ = append(environ, strings.ToUpper(name)+"="+composed(t, value, variables))
				}
				c, err := Load(LoadOptions{Environ: environ})
				if err != nil {
					t.Fatal(err)
				}
				if warnings := c.Warnings(); len(warnings) > 0 || c.Cluster.Node != node || !check(c) {
					t.Errorf("loaded as %+v with warnings %q", c.Cluster, warnings)
				}
			})
		}
	}
	proxy, err := os.ReadFile(dir + "Caddyfile")
	if err != nil {
		t.Fatal(err)
	}
	if want := "reverse_proxy node-1:6001 node-2:6001 node-3:6001 {"; !bytes.Contains(proxy, []byte(want)) {
		t.Errorf("the proxy does not serve the nodes by %q", want)
	}
}

// The values of the chart hold configurations that load, with what the chart adds.
func TestValuesOfTheChart(t *testing.T) {
	const dir = "../../deploy/helm/pipesocketd/"
	files := map[string]struct {
		nodes   int
		environ []string
		check   func(*Config) bool
	}{
		"values.yaml":       {1, nil, func(c *Config) bool { return !c.Cluster.Enabled() }},
		"values-redis.yaml": {3, nil, func(c *Config) bool { return c.Cluster.Label() == "redis://redis-master:6379" }},
		"values-nats.yaml":  {3, nil, func(c *Config) bool { return c.Cluster.Label() == "nats://nats:4222" }},
		"values-embedded.yaml": {3, []string{
			"PIPESOCKETD_CLUSTER_ENGINE=embedded", "PIPESOCKETD_CLUSTER_LISTEN=:6222", "PIPESOCKETD_CLUSTER_SEEDS=ws-nodes:6222",
			"PIPESOCKETD_CLUSTER_SECRET=0123456789abcdef",
		}, func(c *Config) bool { return c.Cluster.Embedded() }},
	}
	if found := glob(t, dir+"values*.yaml"); len(found) != len(files) {
		t.Errorf("%d files, want %d", len(found), len(files))
	}
	template, err := os.ReadFile(dir + "templates/statefulset.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for file, c := range files {
		t.Run(file, func(t *testing.T) {
			values := viper.New()
			for _, name := range []string{dir + "values.yaml", dir + file} {
				values.SetConfigFile(name)
				if err := values.MergeInConfig(); err != nil {
					t.Fatal(err)
				}
			}
			for _, entry := range c.environ {
				if name, _, _ := strings.Cut(entry, "="); !strings.HasSuffix(name, "_SECRET") && !bytes.Contains(template, []byte("name: "+name)) {
					t.Errorf("the chart does not set %s", name)
				}
			}
			text, err := json.Marshal(values.Get("config"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := Load(LoadOptions{
				File: write(t, "config.json", string(text)),
				Environ: append([]string{
					"PIPESOCKETD_LISTEN=0.0.0.0:6001", "PIPESOCKETD_OPS_LISTEN=0.0.0.0:9601", "PIPESOCKETD_CLUSTER_NODE=ws-0",
					"PIPESOCKETD_APP_ID=1001", "PIPESOCKETD_APP_KEY=k", "PIPESOCKETD_APP_SECRET=0123456789abcdef",
				}, c.environ...),
			})
			if err != nil {
				t.Fatal(err)
			}
			if warnings := got.Warnings(); len(warnings) > 0 || values.GetInt("replicas") != c.nodes || !c.check(got) {
				t.Errorf("%d nodes, loaded as %+v with warnings %q", values.GetInt("replicas"), got.Cluster, warnings)
			}
		})
	}
}

// Whoever copies from these files gets variables that exist.
func TestVariablesInFilesForOperators(t *testing.T) {
	var files []string
	for _, root := range []string{"../../deploy", "../../configs", "../../Dockerfile", "../../README.md"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	variable := regexp.MustCompile(`PIPESOCKETD_[A-Z_]*[A-Z]`)
	known := envNames()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range variable.FindAllString(string(text), -1) {
			if _, ok := known[name]; !ok && name != envFile {
				t.Errorf("%s has %s, which is no variable", file, name)
			}
		}
	}
}
