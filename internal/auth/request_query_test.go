package auth_test

import (
	"slices"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

func TestQueryGet(t *testing.T) {
	q := auth.ParseQuery("&&Info=a%2Cb&info=second&empty=&bare&x=a+b&%6E%61me=v")
	for name, want := range map[string]string{"info": "a,b", "empty": "", "bare": "", "x": "a b", "name": "v"} {
		if got, ok := q.Get(name); !ok || got != want {
			t.Errorf("Get(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
	if got, ok := q.Get("missing"); ok {
		t.Errorf("Get(missing) = %q, want none", got)
	}
}

func TestQueryList(t *testing.T) {
	q := auth.ParseQuery("c[]=b&other=1&C%5B%5D=a&c=no&d[10]=x&d[2]=y&e[k]=no&f]=no&[]=nameless")
	for name, want := range map[string][]string{"c": {"b", "a"}, "d": {"x", "y"}, "e": nil, "f": nil, "other": nil} {
		if got, ok := q.List(name); ok != (want != nil) || !slices.Equal(got, want) {
			t.Errorf("List(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

// A sender who signed a literal plus means one; the values follow what was
// signed.
func TestQueryReadsThePlusAsItWasSigned(t *testing.T) {
	const text = "GET\n/apps/3/channels\n" + authParams + "&x=a"
	for signed, want := range map[string]string{text + " b": "a b", text + "+b": "a+b"} {
		r := auth.Request{
			Method: "GET", Path: "/apps/3/channels",
			Query: auth.ParseQuery(authParams + "&x=a+b&auth_signature=" + pair.Secret.Sign([]byte(signed))),
		}
		if err := r.Verify(auth.Keys{pair}, now); err != nil {
			t.Fatalf("signed %q: %v", signed, err)
		}
		if got, _ := r.Query.Get("x"); got != want {
			t.Errorf("signed %q: x = %q, want %q", signed, got, want)
		}
	}
}
