package protocol

import (
	"strings"
	"testing"
)

func TestChannelGlob(t *testing.T) {
	long := strings.Repeat("a", MaxChannelName)
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"orders", "orders", true},
		{"orders", "order", false},
		{"orders", "orders2", false},
		{"orders", "", false},
		{"*", "", true},
		{"*", "anything", true},
		{"***", "anything", true},
		{"?", "", false},
		{"?", "a", true},
		{"?", "ab", false},
		{"?*", "", false},
		{"?*", "abc", true},
		{"private-*", "private-", true},
		{"private-*", "private-chat", true},
		{"private-*", "presence-chat", false},
		{"*-eu", "orders-eu", true},
		{"*-eu", "orders-eu-eu", true},
		{"*-eu", "orders-eu-us", false},
		{"private-*-eu-*", "private-a-eu-b", true},
		{"private-*-eu-*", "private-eu-b", false},
		{"private-*-eu-*", "private--eu-", true},
		{"room-??", "room-12", true},
		{"room-??", "room-1", false},
		{"room-??", "room-123", false},
		{"*a?c*", "xxabxabc", true},
		{"*a?c*", "xxabxab", false},
		{"*aab", "aaaaab", true},
		{"a.b", "a.b", true},
		{"a.b", "axb", false},
		{"Room-*", "room-1", false},
		{"presence-@;,=_.-*", "presence-@;,=_.-x", true},
		{"#*", "", false},
		{long, long, true},
		{long[1:] + "*", long, true},
		{long[1:] + "?", long, true},
		{long, long[1:], false},
		{strings.Repeat("*a", MaxChannelGlob/2), long, true},
		{strings.Repeat("?", MaxChannelGlob), long, true},
		{strings.Repeat("?", 64) + "*b", long[:64] + "b", true},
		{strings.Repeat("?", 64) + "*b", long[:65], false},
	} {
		g, ok := ParseChannelGlob(tt.pattern)
		if !ok {
			if tt.want || tt.pattern[0] != '#' {
				t.Errorf("pattern %q is refused", tt.pattern)
			}
			continue
		}
		if got := g.Matches(ChannelName(tt.name)); got != tt.want {
			t.Errorf("%q and %q: %v, want %v", tt.pattern, tt.name, got, tt.want)
		}
	}
}

func TestChannelGlobsThatAreRefused(t *testing.T) {
	for _, pattern := range []string{
		"", "#server-to-user-*", "a b", "a[bc]", "a{b}", `a\*`, "a/b", "ü", "a\x00", "!a", "^a", "a|b", "a+", "(a)", "$",
		strings.Repeat("a", MaxChannelGlob+1), strings.Repeat("*", MaxChannelGlob+1),
	} {
		if _, ok := ParseChannelGlob(pattern); ok {
			t.Errorf("%q is taken", pattern)
		}
	}
}

// matchesSlowly says the same in the fewest words.
func matchesSlowly(pattern, name string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*':
		return matchesSlowly(pattern[1:], name) || name != "" && matchesSlowly(pattern, name[1:])
	default:
		return name != "" && (pattern[0] == '?' || pattern[0] == name[0]) && matchesSlowly(pattern[1:], name[1:])
	}
}

// Every pattern of up to four characters against every name of up to five.
func TestChannelGlobAgainstItsDefinition(t *testing.T) {
	patterns, names := words("ab*?", 4), words("ab.", 5)
	for _, pattern := range patterns[1:] {
		g, ok := ParseChannelGlob(pattern)
		if !ok {
			t.Fatalf("%q is refused", pattern)
		}
		for _, name := range names {
			if got, want := g.Matches(ChannelName(name)), matchesSlowly(pattern, name); got != want {
				t.Fatalf("%q and %q: %v, want %v", pattern, name, got, want)
			}
		}
	}
}

// words returns the texts over an alphabet, the empty one first.
func words(alphabet string, longest int) []string {
	all := []string{""}
	for begin := 0; longest > 0; longest-- {
		end := len(all)
		for _, word := range all[begin:end] {
			for _, c := range alphabet {
				all = append(all, word+string(c))
			}
		}
		begin = end
	}
	return all
}

func FuzzChannelGlob(f *testing.F) {
	f.Add("private-*-eu-??", "private-orders-eu-12")
	f.Add(strings.Repeat("a?", 70)+"*", strings.Repeat("a", 150))
	f.Add("*a*b?c*", "aabbcc")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		g, ok := ParseChannelGlob(pattern)
		if valid := pattern != "" && len(pattern) <= MaxChannelGlob && strings.Trim(pattern, "*?") == ""; !ok {
			if valid {
				t.Fatalf("%q is refused", pattern)
			}
			return
		}
		got := g.Matches(ChannelName(name))
		if strings.Count(pattern, "*") > 3 { // the definition takes exponential time
			return
		}
		if want := matchesSlowly(pattern, name); got != want {
			t.Fatalf("%q and %q: %v, want %v", pattern, name, got, want)
		}
	})
}

// The time depends on the name's length only, even where backtracking would try
// every way to spread the name over the pattern.
func BenchmarkChannelGlob(b *testing.B) {
	name := ChannelName(strings.Repeat("a", MaxChannelName))
	for title, pattern := range map[string]string{
		"prefix":  strings.Repeat("a", 20) + "*",
		"hostile": strings.Repeat("*a", MaxChannelGlob/2-1) + "*b",
	} {
		g, ok := ParseChannelGlob(pattern)
		if !ok {
			b.Fatalf("%q is refused", pattern)
		}
		b.Run(title, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				g.Matches(name)
			}
		})
	}
}
