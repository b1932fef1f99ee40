package config

import (
	"reflect"
	"strings"

	"github.com/spf13/pflag"
)

// AddFileFlag adds --config to a flag set, for [LoadOptions].
func AddFileFlag(flags *pflag.FlagSet) {
	flags.StringP(flagFile, "c", "", "configuration file: .yaml, .toml or .json")
}

// AddFlags adds --config and the flags of single keys to a flag set, for
// [LoadOptions].
func AddFlags(flags *pflag.FlagSet) {
	AddFileFlag(flags)
	for _, l := range leaves(Defaults()) {
		name := flagName(l.key)
		if name == "" {
			continue
		}
		// pflag takes a word in backquotes for the name of the value.
		usage := strings.ReplaceAll(rules[l.key].meaning, "`", "")
		switch {
		case l.value.Kind() == reflect.Bool:
			flags.Bool(name, l.value.Bool(), usage)
		case l.value.Kind() == reflect.Slice:
			flags.StringSlice(name, nil, usage)
		default:
			flags.String(name, plain(l.value), usage)
		}
	}
}

// commandLine holds what flags set, by key.
type commandLine struct {
	values map[string]any
	faults faults
}

func readFlags(flags *pflag.FlagSet) commandLine {
	given := commandLine{values: make(map[string]any)}
	if flags == nil {
		return given
	}
	for _, l := range leaves(Defaults()) {
		name := flagName(l.key)
		if name == "" {
			continue
		}
		flag := flags.Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		value, wrong := readText(l.value.Type(), flagText(flag.Value))
		if wrong != "" {
			given.faults.add(l.key, "--"+name, wrong)
			continue
		}
		given.values[l.key] = value
	}
	return given
}

func flagText(value pflag.Value) string {
	if list, ok := value.(pflag.SliceValue); ok {
		return strings.Join(list.GetSlice(), ",")
	}
	return value.String()
}
