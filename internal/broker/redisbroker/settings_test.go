package redisbroker

import (
	"crypto/tls"
	"strings"
	"testing"
)

func TestOptions(t *testing.T) {
	const secret = "s3cr3t"
	for _, test := range []struct {
		name string
		o    Options
		want string // part of the error; empty: none
	}{
		{"plain", Options{URL: "redis://h:1"}, ""},
		{"Valkey", Options{URL: "valkeys://u:" + secret + "@h:1/0"}, ""},
		{"certificates", Options{URL: "rediss://h", TLS: &tls.Config{}}, ""},
		{"certificates without TLS", Options{URL: "redis://u:" + secret + "@h", TLS: &tls.Config{}}, "rediss://"},
		{"no URL", Options{}, "not valid"},
		{"another scheme", Options{URL: "http://u:" + secret + "@h"}, "not valid"},
		{"a slash in the password", Options{URL: "redis://u:" + secret + "/x@h:1"}, "not valid"},
		{"a number sign in the password", Options{URL: "redis://u:" + secret + "#x@h:1"}, "not valid"},
		{"a percent sign in the password", Options{URL: "redis://u:" + secret + "%x@h:1"}, "not valid"},
		{"a database that is none", Options{URL: "redis://u:" + secret + "@h:1/" + secret}, "not valid"},
		{"an empty prefix", Options{URL: "redis://h", Prefix: " "}, "prefix"},
		{"braces in the prefix", Options{URL: "redis://h", Prefix: "{a}"}, "prefix"},
		{"a long prefix", Options{URL: "redis://h", Prefix: strings.Repeat("a", 101)}, "prefix"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.o.Prefix == "" {
				test.o.Prefix = "p"
			}
			_, err := New(test.o)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("got %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want an error with %q", err, test.want)
			case err != nil && strings.Contains(err.Error(), secret):
				t.Errorf("the password is in %q", err)
			}
		})
	}
}

func TestServerName(t *testing.T) {
	for _, test := range []struct{ given, want string }{{"", "h"}, {"other", "other"}} {
		s, err := newSettings(Options{URL: "rediss://h:1", Prefix: "p", TLS: &tls.Config{ServerName: test.given}})
		if err != nil {
			t.Fatal(err)
		}
		if s.tls.ServerName != test.want || s.tls.MinVersion != tls.VersionTLS12 {
			t.Errorf("%q: checked against %q, from version %x on", test.given, s.tls.ServerName, s.tls.MinVersion)
		}
	}
}
