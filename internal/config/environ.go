package config

import (
	"regexp"
	"slices"
	"strings"
)

// A variable is one that is set and belongs to this program. An empty variable
// counts as not set: container tools pass on what was left blank.
type variable struct {
	name, value string
}

// variables picks those of the program out of an environment, sorted by name.
// The last of several with one name counts, as it does for programs started by
// the shell.
func variables(environ []string) []variable {
	values := make(map[string]string)
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if ok && strings.HasPrefix(name, envPrefix) && !serviceLink(name, value) {
			values[name] = value
		}
	}
	var all []variable
	for name, value := range values {
		if value != "" {
			all = append(all, variable{name, value})
		}
	}
	slices.SortFunc(all, func(a, b variable) int { return strings.Compare(a.name, b.name) })
	return all
}

var (
	serviceName = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	servicePort = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// serviceLink reports whether Kubernetes made the variable: for a Service named
// pipesocketd it gives every container of the namespace variables such as
// PIPESOCKETD_SERVICE_HOST, PIPESOCKETD_PORT and PIPESOCKETD_PORT_6001_TCP.
func serviceLink(name, value string) bool {
	return serviceName.MatchString(name) || strings.HasSuffix(name, "_PORT") && servicePort.MatchString(value)
}

// An environment holds what the variables set, by key; those of the app by the
// key of its field, as in apps[].client_events.
type environment struct {
	file    string // PIPESOCKETD_CONFIG
	values  map[string]any
	ignored []string // names like those of settings, but of none
	faults  faults
}

func readEnviron(environ []string) environment {
	env := environment{values: make(map[string]any)}
	known := envNames()
	for _, v := range variables(environ) {
		if v.name == envFile {
			env.file = v.value
			continue
		}
		l, ok := known[v.name]
		if !ok {
			env.unknown(v.name, known)
			continue
		}
		value, wrong := readText(l.value.Type(), v.value)
		if wrong != "" {
			env.faults.add(withFirst(l.key), v.name, wrong)
			continue
		}
		env.values[l.key] = value
	}
	return env
}

// unknown makes a fault of a variable that is probably misspelled. Any other is
// left alone, with a warning: the environment is shared with whatever starts the
// server, and its variables may begin with the same word.
func (e *environment) unknown(name string, known map[string]leaf) {
	if near := nearVariable(name, known); near != "" {
		e.faults.add("", name, "is an unknown variable"+near)
		return
	}
	e.ignored = append(e.ignored, name)
}

// envNames returns the setting of each variable.
func envNames() map[string]leaf {
	known := make(map[string]leaf)
	for _, l := range leaves(sample()) {
		if name := envName(l.key); name != "" {
			known[name] = l
		}
	}
	return known
}

// nearVariable compares what follows the prefix, which would make all names
// alike.
func nearVariable(name string, known map[string]leaf) string {
	rests := []string{strings.TrimPrefix(envFile, envPrefix)}
	for other := range known {
		rests = append(rests, strings.TrimPrefix(other, envPrefix))
	}
	slices.Sort(rests)
	near := nearest(strings.TrimPrefix(name, envPrefix), rests)
	if near == "" {
		return ""
	}
	return ", did you mean " + envPrefix + near + "?"
}

// withFirst makes the path of a key in the app that variables describe, as far
// as it is known while the app has no place in the list.
func withFirst(key string) string {
	return strings.ReplaceAll(key, "[]", "[0]")
}

// addApp puts the app that the variables describe into the list of the file:
// they change the settings of the app with the same id, or add an app. It
// returns the list and the path of the app, "" if no variable describes one.
func (e *environment) addApp(list []any) (all []any, path string) {
	fields := make(map[string]any)
	for key, value := range e.values {
		if name, ok := strings.CutPrefix(key, "apps[]."); ok {
			fields[name] = value
		}
	}
	if len(fields) == 0 {
		return list, ""
	}
	id, ok := fields["id"].(string)
	if !ok {
		if !e.faults.cover("apps[0].id") {
			e.faults.add("", envName("apps[].id"), "is missing: it tells which app the other "+envAppPrefix+" variables are about")
		}
		return list, ""
	}
	i := slices.IndexFunc(list, func(app any) bool { return app.(map[string]any)["id"] == id })
	if i < 0 {
		i = len(list)
		list = append(list, make(map[string]any))
	}
	path = index("apps", i)
	e.setFields(list[i].(map[string]any), fields, path)
	return list, path
}

// setFields sets the app's scalar settings. Key and secret together are its
// only pair.
func (e *environment) setFields(app, fields map[string]any, path string) {
	pair := make(map[string]any)
	for name, value := range fields {
		if member, ok := strings.CutPrefix(name, "keys[]."); ok {
			pair[member] = value
			continue
		}
		if table, member, ok := strings.Cut(name, "."); ok {
			members, _ := app[table].(map[string]any)
			if members == nil {
				members = make(map[string]any)
				app[table] = members
			}
			members[member] = value
			continue
		}
		app[name] = value
	}
	for _, member := range []string{"key", "secret"} {
		if len(pair) == 1 && pair[member] == nil && !e.faults.cover("apps[0].keys[0]."+member) {
			e.faults.add(path+".keys[0]."+member, envName("apps[].keys[]."+member), "is missing: key and secret are set together")
		}
	}
	if len(pair) > 0 {
		app["keys"] = []any{pair}
	}
}
