package config

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
)

// A sieve reads the tree that a file was decoded into. What comes through has
// only known keys, each with a value of its field's type; the rest are faults.
// Viper alone would lower-case keys, drop empty ones and convert most types
// into most others, silently.
type sieve struct {
	faults faults
	paths  []string // keys that came through
}

// table reads one table into a tree for viper. A null counts as not given.
func (s *sieve) table(t reflect.Type, path, key string, raw map[string]any) map[string]any {
	tree := make(map[string]any)
	var names []string
	for field := range t.Fields() {
		name := field.Tag.Get("mapstructure")
		names = append(names, name)
		if given := raw[name]; given != nil {
			if value, ok := s.value(field.Type, join(path, name), join(key, name), given); ok {
				tree[name] = value
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(names, name) {
			s.faults.add(join(path, quotedName(name)), "", "is an unknown key"+suggestion(name, names, allKeys()))
		}
	}
	return tree
}

func (s *sieve) value(t reflect.Type, path, key string, raw any) (any, bool) {
	if isTable(t) {
		members, ok := stringKeys(raw)
		if !ok {
			s.faults.add(path, "", "must be a table of keys, not "+kindOf(raw))
			return nil, false
		}
		return s.table(t, path, key, members), true
	}
	if isTableList(t) {
		return s.tables(t.Elem(), path, key+"[]", raw)
	}
	value, wrong := readValue(t, raw)
	if wrong != "" {
		s.faults.add(path, "", wrong)
		return nil, false
	}
	s.paths = append(s.paths, path)
	return value, true
}

// tables reads a list of tables. One at fault stays in the list, empty, so that
// the others keep their index.
func (s *sieve) tables(t reflect.Type, path, key string, raw any) (any, bool) {
	items, ok := raw.([]any)
	if !ok {
		s.faults.add(path, "", "must be a list, not "+kindOf(raw))
		return nil, false
	}
	list := make([]any, 0, len(items))
	for i, item := range items {
		members, ok := stringKeys(item)
		if !ok {
			s.faults.add(index(path, i), "", "must be a table of keys, not "+kindOf(item))
		}
		list = append(list, s.table(t, index(path, i), key, members))
	}
	s.paths = append(s.paths, path)
	return list, true
}

// stringKeys returns a table of any of the decoders. YAML makes another kind of
// map when a key is not text.
func stringKeys(raw any) (map[string]any, bool) {
	switch m := raw.(type) {
	case map[string]any:
		return m, true
	case map[any]any:
		members := make(map[string]any, len(m))
		for k, v := range m {
			members[fmt.Sprint(k)] = v
		}
		return members, true
	default:
		return nil, false
	}
}

// kindOf names what was found where a table or a list belongs. It does not
// repeat it: a secret may stand there by a slip of indentation.
func kindOf(raw any) string {
	switch raw.(type) {
	case nil:
		return "nothing"
	case []any:
		return "a list"
	case map[string]any, map[any]any:
		return "a table"
	case string:
		return "text"
	default:
		return "a single value"
	}
}

// quotedName quotes an unknown key unless it looks like one.
func quotedName(name string) string {
	if credentialPattern.MatchString(name) && len(name) <= maxSpelling {
		return name
	}
	return quoted(name)
}

func allKeys() []string {
	var keys []string
	for _, l := range leaves(sample()) {
		keys = append(keys, l.key)
	}
	return keys
}
