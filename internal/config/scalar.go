package config

import (
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// scalar writes a value as YAML on one line. Secrets come out as <secret>, unless
// there is none.
func scalar(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case []netip.Prefix:
		return flowList(value, func(p netip.Prefix) string { return p.String() })
	case []string:
		return flowList(value, func(s string) string { return s })
	case auth.Secret:
		if value == "" {
			return yamlText("")
		}
		return value.String()
	case time.Time, time.Duration:
		return plain(v)
	}
	if v.Kind() == reflect.String {
		return yamlText(v.String())
	}
	return plain(v)
}

// plain writes a value as it stands in a variable.
func plain(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case time.Duration:
		return durationText(value)
	case time.Time:
		return value.Format(time.RFC3339Nano)
	}
	switch v.Kind() {
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Int:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return v.String()
	}
}

func flowList[T any](items []T, text func(T) string) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = yamlText(text(item))
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

var (
	plainText = regexp.MustCompile(`^([A-Za-z/]|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+)[A-Za-z0-9/_.:*-]*$`)
	yamlWord  = regexp.MustCompile(`(?i)^(true|false|null|yes|no|on|off|y|n)$`)
)

// yamlText quotes a text where YAML could take it for something else. Go's
// escapes are all YAML's too.
func yamlText(s string) string {
	if plainText.MatchString(s) && !yamlWord.MatchString(s) && !strings.HasSuffix(s, ":") {
		return s
	}
	return strconv.Quote(s)
}

// withoutCredentials hides the parts of a URL that may be secret: user
// information and the values of the query.
func withoutCredentials(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return auth.Secret(raw).String()
	}
	text := u.Scheme + "://"
	if u.User != nil {
		text += auth.Secret("").String() + "@"
	}
	text += u.Host + u.EscapedPath()
	if u.RawQuery != "" || u.Fragment != "" {
		text += "?" + auth.Secret("").String()
	}
	return text
}
