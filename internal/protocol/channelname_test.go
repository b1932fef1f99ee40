package protocol_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func TestParseChannelName(t *testing.T) {
	tests := []struct {
		name, channel string
		want          bool
	}{
		{"one letter", "a", true},
		{"letters of both cases and digits", "azAZ09", true},
		{"every allowed sign", "-_=@,.;", true},
		{"signs only at the ends", "-a-", true},
		{"P-063: 200 characters", strings.Repeat("a", 200), true},
		{"P-063: 201 characters", strings.Repeat("a", 201), false},
		{"200 characters, prefix included", "private-" + strings.Repeat("a", 192), true},
		{"201 characters, prefix included", "private-" + strings.Repeat("a", 193), false},
		{"a bare private prefix", "private-", true},
		{"a bare cache prefix", "cache-", true},
		{"a bare presence prefix", "presence-", true},
		{"empty", "", false},
		{"a space", "a b", false},
		{"a space at the end", "a ", false},
		{"a colon", "a:b", false},
		{"a slash", "a/b", false},
		{"a hash in the middle", "a#b", false},
		{"a plus", "a+b", false},
		{"a percent sign", "a%20b", false},
		{"a quote", `a"b`, false},
		{"a backslash", `a\b`, false},
		{"a line feed at the end", "a\n", false},
		{"a NUL", "a\x00", false},
		{"DEL", "a\x7f", false},
		{"a letter that is not ASCII", "é", false},
		{"a byte that is not UTF-8", "\xff", false},
		{"P-065: a hash in front", "#a", false},
		{"P-065: a hash alone", "#", false},
		{"P-065: another reserved name", "#server-to-users-1", false},
		{"P-065: the reserved prefix in capitals", "#Server-To-User-1", false},
		{"P-065: the reserved prefix cut short", "#server-to-user", false},
		{"a user's channel", "#server-to-user-42", true},
		{"a user's channel with every sign", "#server-to-user--_=@,.;aZ9", true},
		{"a user's channel of a 200-character id", "#server-to-user-" + strings.Repeat("u", 200), true},
		{"a user's channel of a 201-character id", "#server-to-user-" + strings.Repeat("u", 201), false},
		{"a user's channel without user", "#server-to-user-", false},
		{"a user's channel with a second hash", "#server-to-user-#1", false},
		{"a user's channel with a colon", "#server-to-user-a:b", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name, ok := protocol.ParseChannelName(tt.channel)
			if ok != tt.want || string(name) != tt.channel {
				t.Errorf("%q: %q, %v, want %v", tt.channel, name, ok, tt.want)
			}
		})
	}
}

func TestValidUserID(t *testing.T) {
	for id, want := range map[string]bool{
		"42": true, "a-_=@,.;Z": true, strings.Repeat("u", 200): true,
		"": false, strings.Repeat("u", 201): false, "#1": false, "a b": false, "a:b": false, "é": false,
	} {
		if got := protocol.ValidUserID(id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
}

func TestKind(t *testing.T) {
	const (
		private   = protocol.Private
		presence  = protocol.Presence
		encrypted = protocol.Encrypted
		cached    = protocol.Cached
	)
	tests := []struct {
		name, channel string
		want          protocol.ChannelKind
		auth          bool
	}{
		{"public", "my-channel", 0, false},
		{"private", "private-x", private, true},
		{"private, bare prefix", "private-", private, true},
		{"presence", "presence-x", presence, true},
		{"encrypted", "private-encrypted-x", private | encrypted, true},
		{"encrypted, bare prefix", "private-encrypted-", private | encrypted, true},
		{"cached", "cache-x", cached, false},
		{"private cached", "private-cache-x", private | cached, true},
		{"presence cached", "presence-cache-x", presence | cached, true},
		{"P-068: encrypted cached", "private-encrypted-cache-x", private | encrypted | cached, true},
		{"a user's channel", "#server-to-user-1", protocol.ToUser, false},
		{"a user whose id is like a prefix", "#server-to-user-private-x", protocol.ToUser, false},
		{"P-066: private in the middle", "my-private-x", 0, false},
		{"P-066: private after cache", "cache-private-x", cached, false},
		{"P-067: encrypted without its dash", "private-encryptedx", private, true},
		{"P-069: private in capitals", "Private-x", 0, false},
		{"P-069: presence in capitals", "PRESENCE-x", 0, false},
		{"encrypted after presence", "presence-encrypted-x", presence, true},
		{"private without its dash", "privatex", 0, false},
		{"private, cut short", "private", 0, false},
		{"encrypted without cache's dash", "private-encrypted-cachex", private | encrypted, true},
		{"private cache without its dash", "private-cachex", private, true},
		{"cache without its dash", "cache", 0, false},
		{"encrypted alone", "encrypted-x", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kind := protocol.ChannelName(tt.channel).Kind()
			if kind != tt.want || kind.NeedsAuth() != tt.auth {
				t.Errorf("%s: kind %05b, auth %v, want %05b, %v", tt.channel, kind, kind.NeedsAuth(), tt.want, tt.auth)
			}
		})
	}
}

func TestServerToUser(t *testing.T) {
	name := protocol.ServerToUser("42")
	if name != "#server-to-user-42" || name.User() != "42" {
		t.Errorf("name %q, user %q", name, name.User())
	}
	for _, other := range []protocol.ChannelName{"a", "presence-42", "server-to-user-42", "#server-to-user-", ""} {
		if user := other.User(); user != "" {
			t.Errorf("%q belongs to user %q", other, user)
		}
	}
}

// FuzzChannelName compares with the grammar of §3.1 as it is written there.
func FuzzChannelName(f *testing.F) {
	grammar := regexp.MustCompile(`^[-a-zA-Z0-9_=@,.;]{1,200}$`)
	for _, seed := range []string{
		"", "a", "presence-room", "#server-to-user-1", "#server-to-user-", "#x", "a:b", "a\n", "é", "-_=@,.;",
		strings.Repeat("a", 200), strings.Repeat("a", 201), "#server-to-user-" + strings.Repeat("a", 201),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := grammar.MatchString(text)
		user, toUser := strings.CutPrefix(text, "#server-to-user-")
		if toUser {
			want = grammar.MatchString(user)
		}
		name, ok := protocol.ParseChannelName(text)
		if ok != want || string(name) != text {
			t.Fatalf("parsed %q, %v, want %v", name, ok, want)
		}
		if name.Kind().Has(protocol.ToUser) != toUser || (ok && toUser && name.User() != user) {
			t.Fatalf("kind %05b, user %q", name.Kind(), name.User())
		}
	})
}
