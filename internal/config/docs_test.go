package config

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/configuration.md")

const page = "../../docs/configuration.md"

// TestDocumentation holds the tables of the page against the keys: each stands
// there once, in the table of its place, and no other does.
func TestDocumentation(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[string]bool)
	blocks := regexp.MustCompile(`(?s)(<!-- keys:([a-z.\[\]]*) -->\n).*?(<!-- end -->)`)
	want := blocks.ReplaceAllStringFunc(string(text), func(block string) string {
		parts := blocks.FindStringSubmatch(block)
		return parts[1] + keyTable(parts[2], documented) + parts[3]
	})
	for _, key := range allKeys() {
		if !documented[key] {
			t.Errorf("%s is in no table of %s", key, page)
		}
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Errorf("the tables of %s are not those of the rules: go test ./internal/config -run TestDocumentation -update", page)
	}
}

// keyTable writes the keys right below prefix.
func keyTable(prefix string, documented map[string]bool) string {
	var b strings.Builder
	b.WriteString("| Key | Variable, flag | Default | Meaning | Value |\n|---|---|---|---|---|\n")
	for _, s := range Settings() {
		name, ok := strings.CutPrefix(s.Key, prefix)
		name = strings.TrimPrefix(name, ".")
		if !ok || strings.Contains(strings.TrimSuffix(name, "[]"), ".") {
			continue
		}
		documented[s.Key] = true
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(s.Key), names(s), code(s.Default), s.Meaning, s.Limits)
	}
	return b.String()
}

func names(s Setting) string {
	var all []string
	if s.Env != "" {
		all = append(all, code(s.Env))
	}
	if s.Flag != "" {
		all = append(all, code("--"+s.Flag))
	}
	return strings.Join(all, "<br>")
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func TestDocumentationNamesNoUnknownVariable(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	known := envNames()
	for _, name := range regexp.MustCompile(`PIPESOCKETD_[A-Z0-9_]*[A-Z0-9]`).FindAllString(string(text), -1) {
		if _, ok := known[name]; !ok && name != envFile && name != "PIPESOCKETD_APP" && !serviceLink(name, "") {
			t.Errorf("%s names %s, which is no variable", page, name)
		}
	}
}

// TestExampleFiles loads every file of configs/.
func TestExampleFiles(t *testing.T) {
	environ := []string{"PIPESOCKETD_APP_ID=1001", "PIPESOCKETD_APP_KEY=k", "PIPESOCKETD_APP_SECRET=0123456789abcdef0123"}
	examples := map[string]func(*Config) bool{
		"minimal.yaml":     func(c *Config) bool { return len(c.Apps) == 1 },
		"two-apps.yaml":    func(c *Config) bool { return len(c.Apps) == 2 && len(c.Apps[0].Keys) == 2 },
		"pipesocketd.toml": func(c *Config) bool { return c.Apps[0].ClientEvents && len(c.Apps[0].Webhooks) == 1 },
		"pipesocketd.json": func(c *Config) bool { return c.Apps[0].ClientEvents && len(c.Apps[0].Webhooks) == 1 },
		"pipesocketd.yaml": func(c *Config) bool { return c.Apps[0].MaxConnections == 50000 },
		"tls.yaml":         func(c *Config) bool { return c.TLS.Enabled() && c.Apps[0].TLSOnly },
		"cluster-redis.yaml": func(c *Config) bool {
			return c.Cluster.Label() == "redis://10.0.0.10:6379" && c.Apps[0].MaxConnections == 50000
		},
		"cluster-nats.yaml":     func(c *Config) bool { return strings.Count(c.Cluster.Label(), "tls://") == 3 },
		"cluster-embedded.yaml": func(c *Config) bool { return c.Cluster.Embedded() && len(c.Cluster.SeedAddresses()) == 3 },
	}
	fromEnvironment := []string{ // their secrets are not in the file
		"pipesocketd.yaml", "tls.yaml", "cluster-redis.yaml", "cluster-nats.yaml", "cluster-embedded.yaml",
	}
	for _, name := range glob(t, "../../configs/*") {
		base := strings.TrimPrefix(name, "../../configs/")
		t.Run(base, func(t *testing.T) {
			check, ok := examples[base]
			if !ok {
				t.Fatal("the test does not know this file")
			}
			options := LoadOptions{File: name}
			if slices.Contains(fromEnvironment, base) {
				if _, err := Load(options); err == nil {
					t.Error("it loads without its secrets")
				}
				options.Environ = environ
			}
			if base == "cluster-embedded.yaml" {
				options.Environ = append(slices.Clone(environ), "PIPESOCKETD_CLUSTER_SECRET=0123456789abcdef0123")
			}
			if base == "tls.yaml" {
				file := withCertificates(t, "testdata/good/everything.yaml")
				dir := strings.TrimSuffix(file, "/everything.yaml")
				options.Flags = flagSet(t, "--tls-cert-file="+dir+"/cert.pem", "--tls-key-file="+dir+"/key.pem")
			}
			c, err := Load(options)
			if err != nil {
				t.Fatal(err)
			}
			if !check(c) {
				t.Errorf("loaded as %+v", c)
			}
			if warnings := c.Warnings(); len(warnings) > 0 {
				t.Errorf("warnings: %s", strings.Join(warnings, "\n"))
			}
		})
	}
	if got := len(glob(t, "../../configs/*")); got != len(examples) {
		t.Errorf("%d files, want %d", got, len(examples))
	}
}
