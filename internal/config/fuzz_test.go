package config

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// FuzzLoad feeds YAML texts: each either loads as a valid configuration, which
// can be printed without its secrets and built, or is an error.
func FuzzLoad(f *testing.F) {
	for _, dir := range []string{"testdata/bad", "testdata/good"} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			f.Fatal(err)
		}
		for _, entry := range entries {
			text, err := os.ReadFile(dir + "/" + entry.Name())
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte("tls")) || bytes.Contains(text, []byte("_file")) {
			return // the parser would read files of this machine
		}
		doc := document{name: "fuzz.yaml", format: "yaml", text: text}
		c, origins, err := load(doc, readEnviron(nil), nil)
		if err != nil {
			if c != nil {
				t.Fatalf("Load = %v, %v", c, err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("loaded, but invalid: %v", err)
		}
		if built := c.BuildApps(); len(built) != len(c.Apps) {
			t.Fatalf("%d apps were built of %d", len(built), len(c.Apps))
		}
		var printed bytes.Buffer
		if err := Print(&printed, c, origins); err != nil {
			t.Fatal(err)
		}
		for _, app := range c.Apps {
			var secrets []string
			for _, pair := range app.Keys {
				secrets = append(secrets, string(pair.Secret))
			}
			for _, webhook := range app.Webhooks {
				for _, header := range webhook.Headers {
					secrets = append(secrets, string(header.Value))
				}
			}
			for _, secret := range append(secrets, string(c.Ops.Token)) {
				if len(secret) > 40 && strings.Contains(printed.String(), secret) {
					t.Fatalf("the secret is in\n%s", printed.String())
				}
			}
		}
		_ = c.Warnings()
	})
}
