package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// A rule is what is said about one key: its meaning and limits for readers, and
// the check of its value. check returns what is wrong, "" if nothing is; it is
// nil if every value will do.
type rule struct {
	meaning  string
	limits   string
	required bool // has no default
	check    func(value any) string
}

// anything takes every value of the key's type.
func anything(meaning string) rule { return rule{meaning: meaning} }

// unbounded is the upper end of a range that has none.
const unbounded = -1

func number(meaning string, lo, hi int) rule {
	return ranged(meaning, lo, hi, strconv.Itoa)
}

func span(meaning string, lo, hi time.Duration) rule {
	return ranged(meaning, lo, hi, durationText)
}

func ranged[T interface{ ~int | ~int64 }](meaning string, lo, hi T, text func(T) string) rule {
	limits := text(lo) + " to " + text(hi)
	if hi == unbounded {
		limits = "at least " + text(lo)
	}
	return rule{meaning: meaning, limits: limits, check: func(value any) string {
		v := value.(T)
		if cmp.Less(v, lo) || hi != unbounded && cmp.Less(hi, v) {
			return "must be " + limits + ", not " + text(v)
		}
		return ""
	}}
}

func choice(meaning string, values ...string) rule {
	limits := strings.Join(values, ", ")
	return rule{meaning: meaning, limits: limits, check: func(value any) string {
		if slices.Contains(values, value.(string)) {
			return ""
		}
		return fmt.Sprintf("must be one of %s, not %s", limits, quoted(value.(string)))
	}}
}

// text checks a string-like value. The texts of check must not repeat a value
// that may be secret.
func text(meaning, limits string, check func(string) string) rule {
	return rule{meaning: meaning, limits: limits, check: func(value any) string {
		switch v := value.(type) {
		case apps.ID:
			return check(string(v))
		case auth.Secret:
			return check(string(v))
		default:
			return check(v.(string))
		}
	}}
}

// list checks each item and refuses one that comes twice.
func list(meaning, limits string, check func(string) string) rule {
	return rule{meaning: meaning, limits: limits, check: func(value any) string {
		items := value.([]string)
		for i, item := range items {
			if wrong := check(item); wrong != "" {
				return wrong
			}
			if slices.Contains(items[:i], item) {
				return "lists " + quoted(item) + " twice"
			}
		}
		return ""
	}}
}

func required(r rule) rule {
	r.required = true
	return r
}

// durationText writes a duration without its zero parts: 2m0s is 2m.
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// quoted quotes a value of an error text and bounds its length.
func quoted(value string) string {
	const longest = 60
	if len(value) > longest {
		value = strings.ToValidUTF8(value[:longest], "") + "…"
	}
	return strconv.Quote(value)
}
