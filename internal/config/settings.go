package config

import (
	"iter"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

const (
	envPrefix    = "PIPESOCKETD_"
	envAppPrefix = envPrefix + "APP_"
	envFile      = envPrefix + "CONFIG"
	flagFile     = "config"
)

// Setting describes one key for documentation and for the command line.
type Setting struct {
	Key     string // such as ops.listen, or apps[].keys[].secret for members of lists
	Env     string // name of its variable; "" if it has none
	Flag    string // name of its flag without dashes; "" if it has none
	Default string // as written in YAML; "" for what must be given and for lists of tables
	Meaning string
	Limits  string // "" if every value of its type is allowed
}

// Settings returns every key in the order of [Config].
func Settings() []Setting {
	var all []Setting
	for _, l := range leaves(sample()) {
		r := rules[l.key]
		s := Setting{Key: l.key, Env: envName(l.key), Flag: flagName(l.key), Meaning: r.meaning, Limits: r.limits}
		if !isTableList(l.value.Type()) && !r.required {
			s.Default = scalar(l.value)
		}
		all = append(all, s)
	}
	return all
}

// flagged are the keys that have a flag.
var flagged = []string{
	"listen", "mount", "tls.cert_file", "tls.key_file", "ops.listen", "ops.pprof", "drain_window", "development",
	"trusted_proxies", "log.level", "log.format", "webhooks.allow_addresses",
}

func flagName(key string) string {
	if !slices.Contains(flagged, key) {
		return ""
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(key)
}

// envName derives the variable of a key. The first app's scalar settings and
// its key pair have one too; other members of lists do not.
func envName(key string) string {
	rest := key
	prefix := envPrefix
	if member, ok := strings.CutPrefix(key, "apps[]."); ok {
		prefix = envAppPrefix
		rest = member
		switch rest {
		case "keys[].key", "keys[].secret":
			rest = strings.TrimPrefix(rest, "keys[].")
		case "keys", "webhooks":
			return ""
		}
	}
	if strings.Contains(rest, "[]") || key == "apps" {
		return ""
	}
	return prefix + strings.ToUpper(strings.ReplaceAll(rest, ".", "_"))
}

// A leaf is one setting of one Config.
type leaf struct {
	path  string // apps[0].keys[1].secret
	key   string // apps[].keys[].secret
	value reflect.Value
}

// leaves lists the settings of c in the order of its fields. A list of tables
// comes as a leaf of its own before the leaves of its members.
func leaves(c *Config) []leaf {
	var all []leaf
	appendLeaves(&all, reflect.ValueOf(c).Elem(), "", "")
	return all
}

// keyFields are the fields of a table that stand for keys.
func keyFields(table reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for field := range table.Fields() {
			if field.IsExported() && !yield(field) {
				return
			}
		}
	}
}

func appendLeaves(all *[]leaf, table reflect.Value, path, key string) {
	for field := range keyFields(table.Type()) {
		name := field.Tag.Get("mapstructure")
		l := leaf{join(path, name), join(key, name), table.FieldByIndex(field.Index)}
		if isTable(field.Type) {
			appendLeaves(all, l.value, l.path, l.key)
			continue
		}
		*all = append(*all, l)
		if isTableList(field.Type) {
			for i := range l.value.Len() {
				appendLeaves(all, l.value.Index(i), index(l.path, i), l.key+"[]")
			}
		}
	}
}

// sample is a default configuration with one member in every list of tables,
// so that its leaves are all the keys there are.
func sample() *Config {
	c := Defaults()
	app := DefaultApp()
	app.Keys = []Key{{}}
	webhook := DefaultWebhook()
	webhook.Headers = []Header{{}}
	app.Webhooks = []Webhook{webhook}
	c.Apps = []App{app}
	return c
}

// Types of values, by which files and texts are read.
var (
	typeDuration = reflect.TypeFor[time.Duration]()
	typeTime     = reflect.TypeFor[time.Time]()
	typePrefixes = reflect.TypeFor[[]netip.Prefix]()
	typeStrings  = reflect.TypeFor[[]string]()
	typeSecret   = reflect.TypeFor[auth.Secret]()
	typeID       = reflect.TypeFor[apps.ID]()
)

func isTable(t reflect.Type) bool { return t.Kind() == reflect.Struct && t != typeTime }

func isTableList(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t != typePrefixes && t != typeStrings
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
