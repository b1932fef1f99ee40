package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"
)

// LoadOptions are the sources of a configuration. The zero value loads the
// defaults.
type LoadOptions struct {
	// File is the name of a YAML, TOML or JSON file. If empty, the flag "config"
	// of Flags names it, and else the variable PIPESOCKETD_CONFIG.
	File string
	// Flags holds flags as made by [AddFlags]; those that were given count.
	Flags *pflag.FlagSet
	// Environ is an environment in the form of os.Environ.
	Environ []string
}

// Origins tells by the path of a key who set it: a file, a variable or a flag.
// Keys at their default are absent.
type Origins map[string]string

// Load returns the configuration of the given sources, valid, or all that is
// wrong with it, one line each.
func Load(o LoadOptions) (*Config, error) {
	c, _, err := LoadWithOrigins(o)
	return c, err
}

// LoadWithOrigins is [Load] that also tells where each value came from.
func LoadWithOrigins(o LoadOptions) (*Config, Origins, error) {
	env := readEnviron(o.Environ)
	doc, err := readFile(fileName(o, env))
	if err != nil {
		return nil, nil, errors.Join(err, env.faults.err())
	}
	return load(doc, env, o.Flags)
}

func fileName(o LoadOptions, env environment) string {
	if o.File != "" {
		return o.File
	}
	if o.Flags != nil {
		if flag := o.Flags.Lookup(flagFile); flag != nil && flag.Changed {
			return flag.Value.String()
		}
	}
	return env.file
}

// load reads every source, puts them over one another and validates the
// result. What could not be read is left out of it and reported once.
func load(doc document, env environment, flags *pflag.FlagSet) (*Config, Origins, error) {
	raw, err := doc.decode()
	if err != nil {
		return nil, nil, errors.Join(err, env.faults.err())
	}
	var file sieve
	tree := file.table(reflect.TypeFor[Config](), "", "", raw)
	origins := make(Origins)
	for _, path := range file.paths {
		origins[path] = doc.name
	}
	list, _ := tree["apps"].([]any)
	list, appPath := env.addApp(list)
	if len(list) > 0 {
		tree["apps"] = withAppDefaults(list)
	}
	given := readFlags(flags)

	found := append(append(file.faults, env.faults...), given.faults...)
	c, err := merge(tree, env.values, given.values)
	if err != nil {
		return nil, nil, errors.Join(found.err(), err)
	}
	c.ignoredVariables = env.ignored
	origins.addEnviron(env.values, appPath)
	for key := range given.values {
		origins[key] = "--" + flagName(key)
	}
	found.addUnlessKnown(origins.annotate(c.validate()))
	if len(found) > 0 {
		return nil, nil, found.err()
	}
	return c, origins, nil
}

// merge lets a fresh viper put flags over variables over the file over the
// defaults. Values are typed already, so it converts none.
func merge(file, env, flags map[string]any) (*Config, error) {
	v := viper.New()
	for _, l := range leaves(Defaults()) {
		v.SetDefault(l.path, l.value.Interface())
	}
	for _, layer := range []map[string]any{file, nested(env)} {
		if err := v.MergeConfigMap(layer); err != nil {
			return nil, fmt.Errorf("merge configuration: %w", err)
		}
	}
	for key, value := range flags {
		v.Set(key, value)
	}
	c := new(Config)
	if err := v.UnmarshalExact(c); err != nil {
		return nil, fmt.Errorf("merge configuration: %w", err)
	}
	return c, nil
}

// nested turns keys with dots into tables. The app's are left out: they are in
// the list of apps by now.
func nested(values map[string]any) map[string]any {
	tree := make(map[string]any)
	for key, value := range values {
		table, name, ok := strings.Cut(key, ".")
		if strings.HasPrefix(key, "apps[]") {
			continue
		}
		if !ok {
			tree[key] = value
			continue
		}
		members, _ := tree[table].(map[string]any)
		if members == nil {
			members = make(map[string]any)
			tree[table] = members
		}
		members[name] = value
	}
	return tree
}

// withAppDefaults completes every app and its webhooks. Viper knows no defaults
// for members of lists.
func withAppDefaults(list []any) []any {
	complete := withDefaults(list, reflect.ValueOf(DefaultApp()))
	for _, app := range complete {
		whole := app.(map[string]any)
		if webhooks, ok := whole["webhooks"].([]any); ok {
			whole["webhooks"] = withDefaults(webhooks, reflect.ValueOf(DefaultWebhook()))
		}
	}
	return complete
}

func withDefaults(list []any, defaults reflect.Value) []any {
	complete := make([]any, len(list))
	for i, member := range list {
		complete[i] = completed(member.(map[string]any), defaults)
	}
	return complete
}

// completed returns a table of a file with what it lacks taken from defaults, in
// tables within it too.
func completed(given map[string]any, defaults reflect.Value) map[string]any {
	whole := make(map[string]any)
	for field := range defaults.Type().Fields() {
		name, value := field.Tag.Get("mapstructure"), defaults.FieldByIndex(field.Index)
		if isTable(field.Type) {
			members, _ := given[name].(map[string]any)
			whole[name] = completed(members, value)
			continue
		}
		whole[name] = value.Interface()
		if set, ok := given[name]; ok {
			whole[name] = set
		}
	}
	return whole
}

func (o Origins) addEnviron(values map[string]any, appPath string) {
	for key := range values {
		path := key
		if member, ok := strings.CutPrefix(key, "apps[]."); ok {
			path = appPath + "." + strings.ReplaceAll(member, "[]", "[0]")
		}
		o[path] = envName(key)
	}
}

// annotate tells which variable or flag set what is at fault.
func (o Origins) annotate(found faults) faults {
	for i := range found {
		if origin := o[found[i].path]; strings.HasPrefix(origin, envPrefix) || strings.HasPrefix(origin, "--") {
			found[i].source = origin
		}
	}
	return found
}
