package config

import (
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// readValue turns a decoded value of a file into a value of type t. wrong tells
// what is wrong with it, "" if nothing is, and never repeats a secret.
func readValue(t reflect.Type, raw any) (value any, wrong string) {
	switch t {
	case typeDuration:
		return readDuration(raw)
	case typeTime:
		return readTime(raw)
	case typePrefixes:
		return readList(raw, readPrefix)
	case typeStrings:
		return readList(raw, readString)
	case typeSecret:
		if _, ok := raw.(string); !ok {
			return nil, "must be text: put it in quotes"
		}
		return raw, ""
	case typeID:
		// Ids are digits by convention, so an unquoted one is a number to YAML.
		if n, ok := wholeNumber(raw); ok && n >= 0 {
			return strconv.Itoa(n), ""
		}
		return readString(raw)
	}
	switch t.Kind() {
	case reflect.Bool:
		if b, ok := raw.(bool); ok {
			return b, ""
		}
		return nil, "must be true or false, not " + describe(raw)
	case reflect.Int:
		if n, ok := wholeNumber(raw); ok {
			return n, ""
		}
		return nil, "must be a whole number, not " + describe(raw)
	default:
		return readString(raw)
	}
}

// readText does the same for the text of a variable or a flag.
func readText(t reflect.Type, text string) (value any, wrong string) {
	switch {
	case t == typePrefixes || t == typeStrings:
		return readValue(t, splitList(text))
	case t == typeDuration:
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return readDuration(n)
		}
	case t.Kind() == reflect.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b, ""
		}
	case t.Kind() == reflect.Int:
		if n, err := strconv.Atoi(text); err == nil {
			return n, ""
		}
	}
	return readValue(t, text)
}

func splitList(text string) []any {
	items := []any{}
	for item := range strings.SplitSeq(text, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func readString(raw any) (any, string) {
	if s, ok := raw.(string); ok {
		return s, ""
	}
	return nil, "must be text in quotes, not " + describe(raw)
}

func readDuration(raw any) (any, string) {
	const example = "must be a duration such as 30s or 1m30s, not "
	if n, ok := raw.(float64); ok && n != math.Trunc(n) {
		return nil, example + "a bare number"
	}
	if n, ok := wholeNumber(raw); ok {
		if n == 0 {
			return time.Duration(0), ""
		}
		return nil, fmt.Sprintf("%sthe bare number %d: it lacks a unit", example, n)
	}
	s, ok := raw.(string)
	if !ok {
		return nil, example + describe(raw)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return nil, example + quoted(s)
	}
	return d, ""
}

// readTime takes what YAML and TOML make of an unquoted time, and text.
func readTime(raw any) (any, string) {
	const example = "must be an RFC 3339 time such as 2026-01-02T15:04:05Z, or a date, not "
	if t, ok := raw.(time.Time); ok {
		return t, ""
	}
	if local, ok := raw.(fmt.Stringer); ok {
		raw = local.String() // TOML's dates without a zone
	}
	s, ok := raw.(string)
	if !ok {
		return nil, example + describe(raw)
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, ""
		}
	}
	return nil, example + quoted(s)
}

func readPrefix(raw any) (any, string) {
	const example = "must list addresses or CIDR prefixes such as 10.0.0.0/8, not "
	s, ok := raw.(string)
	if !ok {
		return nil, example + describe(raw)
	}
	if ip, err := netip.ParseAddr(s); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), ""
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix.Addr().Is4In6() {
		return nil, example + quoted(s)
	}
	return prefix.Masked(), ""
}

// readList makes a slice of what read makes of the items.
func readList(raw any, read func(any) (any, string)) (any, string) {
	items, ok := raw.([]any)
	if !ok {
		return nil, "must be a list, not " + describe(raw)
	}
	list := make([]any, 0, len(items))
	for _, item := range items {
		value, wrong := read(item)
		if wrong != "" {
			return nil, wrong
		}
		list = append(list, value)
	}
	return list, ""
}

// wholeNumber takes the integers of all three formats; JSON has only floats.
func wholeNumber(raw any) (int, bool) {
	const exact = 1 << 53
	switch n := raw.(type) {
	case int:
		return n, true
	case int64:
		return int(n), true
	case uint64:
		return int(n), n <= math.MaxInt64
	case float64:
		return int(n), n == math.Trunc(n) && math.Abs(n) <= exact
	default:
		return 0, false
	}
}

// describe names a value in an error text. Only the place where a value was
// expected tells whether it is secret, so secrets do not come here.
func describe(raw any) string {
	switch v := raw.(type) {
	case nil:
		return "nothing"
	case string:
		return quoted(v)
	case bool:
		return strconv.FormatBool(v)
	case []any:
		return "a list"
	case map[string]any, map[any]any:
		return "a table"
	case int, int64, uint64, float64:
		return quoted(fmt.Sprint(v))
	case time.Time:
		return "a time"
	default:
		return "a value of another kind"
	}
}
