package natsbroker

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

func TestSubjectNames(t *testing.T) {
	channel := func(app, name string) broker.Subject {
		return broker.Subject{Kind: broker.ToChannel, App: app, Channel: name}
	}
	for _, test := range []struct {
		subject broker.Subject
		want    string
	}{
		{broker.Subject{Kind: broker.ToAll}, "p.all"},
		{broker.Subject{Kind: broker.ToNode, Node: 0xabc}, "p.node.0000000000000abc"},
		{channel("1", "presence-room_9=@,;"), "p.ch.1.presence-room_9=@,;"},
		{channel("1", ".."), "p.ch.1.%2E%2E"},
		{channel("1", ".a."), "p.ch.1.%2Ea%2E"},
		{channel("1", "#server-to-user-x"), "p.ch.1.%23server-to-user-x"},
		{channel("$SYS.>", "*"), "p.ch.%24SYS%2E%3E.%2A"},
		{channel("a b\r\n\x00", "%41"), "p.ch.a%20b%0D%0A%00.%2541"},
		{channel("ü", ""), "p.ch.%C3%BC.%"},
	} {
		if got := name("p", test.subject); got != test.want {
			t.Errorf("%+v: got %q, want %q", test.subject, got, test.want)
		}
	}
}

// TestSubjectNamesDiffer: no two subjects share a name, and every name is four or fewer
// plain tokens behind the prefix.
func TestSubjectNamesDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`[a%.2E$*> ]{0,6}`), rapid.String())
		draw := func(which string) broker.Subject {
			s := broker.Subject{Kind: rapid.SampledFrom([]broker.SubjectKind{broker.ToAll, broker.ToNode, broker.ToChannel}).Draw(t, which)}
			switch s.Kind {
			case broker.ToNode:
				s.Node = broker.NodeID(rapid.Uint64().Draw(t, which+" node"))
			case broker.ToChannel:
				s.App, s.Channel = text.Draw(t, which+" app"), text.Draw(t, which+" channel")
			}
			return s
		}
		a, b := draw("a"), draw("b")
		if (name("p", a) == name("p", b)) != (a == b) {
			t.Fatalf("%+v is %q, %+v is %q", a, name("p", a), b, name("p", b))
		}
		tokens := strings.Split(name("p", a), ".")
		for _, token := range tokens {
			if token == "" || strings.ContainsAny(token, "*>$ \t\r\n\x00") {
				t.Fatalf("%+v is %q", a, name("p", a))
			}
		}
		if len(tokens) > 4 {
			t.Fatalf("%+v is %q", a, name("p", a))
		}
	})
}
