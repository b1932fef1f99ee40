package config

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"testing"
)

func TestPrint(t *testing.T) {
	file := withCertificates(t, "testdata/good/everything.yaml")
	c, origins, err := LoadWithOrigins(LoadOptions{File: file, Flags: flagSet(t, "--log-level=warn"), Environ: []string{"PIPESOCKETD_MOUNT=/m"}})
	if err != nil {
		t.Fatal(err)
	}
	c.Apps[0].Keys[0].Secret, c.Apps[0].Keys[1].Secret = "sesame-1", "sesame-2"
	var out bytes.Buffer
	if err := Print(&out, c, origins); err != nil {
		t.Fatal(err)
	}
	printed := out.String()
	for _, line := range []string{
		`listen: "[::1]:7001"  # ` + file,
		`mount: /m  # PIPESOCKETD_MOUNT`,
		`  level: warn  # --log-level`,
		`        secret: <secret>  # ` + file,
		`      - key: k-1  # ` + file,
		`        created: 2026-01-02T00:00:00Z  # ` + file,
		`      - url: "https://<secret>@example.com/hook?<secret>"  # ` + file,
		`  token: <secret>  # ` + file,
		`  engine: embedded  # ` + file,
		`  secret: <secret>  # ` + file,
		`          - name: X-Receiver-Token  # ` + file,
		`            value: <secret>  # ` + file,
		`    allowed_origins: ["*.example.com", https://localhost:8080]  # ` + file,
	} {
		if !strings.Contains(printed, line+"\n") {
			t.Errorf("no line %q in\n%s", line, printed)
		}
	}
	for _, secret := range []string{"sesame", "user:pass", "token=t"} {
		if strings.Contains(printed, secret) {
			t.Errorf("%s is in\n%s", secret, printed)
		}
	}

	t.Run("loads again, but for what was left out", func(t *testing.T) {
		again, err := Load(LoadOptions{File: write(t, "c.yaml", strings.ReplaceAll(printed, "<secret>", "xxxxxxxxxxxxxxxx"))})
		if err != nil {
			t.Fatal(err)
		}
		first, second := leaves(c), leaves(again)
		if len(first) != len(second) {
			t.Fatalf("%d settings became %d", len(first), len(second))
		}
		for i, l := range second {
			hidden := l.value.Type() == typeSecret || l.key == "apps[].webhooks[].url" || l.key == "history.database"
			if !hidden && !isTableList(l.value.Type()) && scalar(l.value) != scalar(first[i].value) {
				t.Errorf("%s became %s, was %s", l.path, scalar(l.value), scalar(first[i].value))
			}
		}
	})
	t.Run("tells an error of the writer", func(t *testing.T) {
		if err := Print(brokenWriter{}, c, origins); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("error %v", err)
		}
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

func TestPrintDefaults(t *testing.T) {
	var out bytes.Buffer
	if err := PrintDefaults(&out); err != nil {
		t.Fatal(err)
	}
	printed := out.String()

	t.Run("loads as the defaults", func(t *testing.T) {
		c, origins, err := LoadWithOrigins(LoadOptions{File: write(t, "c.yaml", printed)})
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range leaves(Defaults()) {
			got := leaves(c)[i]
			if scalarOrEmpty(got) != scalarOrEmpty(l) {
				t.Errorf("%s = %v, want %v", l.path, got.value, l.value)
			}
			if l.key != "apps" && origins[l.path] == "" {
				t.Errorf("%s is not in the text", l.path)
			}
		}
	})
	t.Run("loads with its app after the first number signs are removed", func(t *testing.T) {
		_, app, ok := strings.Cut(printed, "to use them.\n")
		if !ok {
			t.Fatal("no app in the text")
		}
		whole := strings.ReplaceAll(printed, app, regexp.MustCompile(`(?m)^#`).ReplaceAllString(app, ""))
		c, origins, err := LoadWithOrigins(LoadOptions{File: write(t, "c.yaml", whole)})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range leaves(c) {
			if origins[l.path] == "" {
				t.Errorf("%s is not in the text", l.path)
			}
			if !strings.Contains(strings.Join(strings.Fields(strings.ReplaceAll(printed, "#", "")), " "), strings.Join(strings.Fields(strings.ReplaceAll(rules[l.key].meaning, "`", "")), " ")) {
				t.Errorf("the meaning of %s is not in the text", l.path)
			}
		}
		if len(c.Apps) != 1 || len(c.Apps[0].Webhooks) != 1 || c.Apps[0].Keys[0].Created.IsZero() {
			t.Errorf("apps %+v", c.Apps)
		}
	})
}

func TestYAMLText(t *testing.T) {
	for text, want := range map[string]string{
		"":               `""`,
		"auto":           "auto",
		"127.0.0.1:6001": "127.0.0.1:6001",
		"1001":           `"1001"`,
		"0x1f":           `"0x1f"`,
		"yes":            `"yes"`,
		"Null":           `"Null"`,
		"1e5":            `"1e5"`,
		"a:":             `"a:"`,
		"*a":             `"*a"`,
		"a b":            `"a b"`,
		"a#b":            `"a#b"`,
		"line\nbreak":    `"line\nbreak"`,
		"[::1]:1":        `"[::1]:1"`,
		"/path/x.pem":    "/path/x.pem",
	} {
		if got := yamlText(text); got != want {
			t.Errorf("yamlText(%q) = %s, want %s", text, got, want)
		}
	}
}

func TestWithoutCredentials(t *testing.T) {
	for url, want := range map[string]string{
		"https://a.example/hook":           "https://a.example/hook",
		"https://a.example:8443":           "https://a.example:8443",
		"https://u:p@a.example/hook":       "https://<secret>@a.example/hook",
		"https://token@a.example/":         "https://<secret>@a.example/",
		"https://a.example/hook?token=t#f": "https://a.example/hook?<secret>",
		"https://a.example/%zz?t":          "<secret>",
	} {
		if got := withoutCredentials(url); got != want {
			t.Errorf("withoutCredentials(%q) = %s, want %s", url, got, want)
		}
	}
}
