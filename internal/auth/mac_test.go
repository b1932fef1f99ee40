package auth_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// standard is the same by the standard library.
func standard(secret, text string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// Secrets come in turns, shorter and longer than a block of the hash; texts lie
// around the sizes of blocks and of the buffer.
func TestSignAgreesWithTheStandardLibrary(t *testing.T) {
	for _, secretLen := range []int{0, 1, 20, 63, 64, 65, 200} {
		for _, textLen := range []int{0, 1, 55, 56, 63, 64, 65, 511, 512, 513, 1024, 1025, 5000} {
			secret, text := strings.Repeat("k", secretLen), strings.Repeat("ü", textLen)[:textLen]
			got := auth.Secret(secret).Sign([]byte(text))
			if want := standard(secret, text); got != want {
				t.Errorf("secret of %d, text of %d: %s, want %s", secretLen, textLen, got, want)
			}
		}
	}
}

// Nothing of one text or one secret is left for the next.
func TestSignaturesDoNotDependOnWhatCameBefore(t *testing.T) {
	secrets := rapid.SampledFrom([]string{"", "a", "b", "ab", strings.Repeat("a", 64), strings.Repeat("a", 65)})
	rapid.Check(t, func(rt *rapid.T) {
		for range 5 {
			secret, text := secrets.Draw(rt, "secret"), rapid.StringN(0, 600, 700).Draw(rt, "text")
			s, want := auth.Secret(secret), standard(secret, text)
			switch rapid.IntRange(0, 3).Draw(rt, "step") {
			case 0:
				if got := s.Sign([]byte(text)); got != want {
					rt.Fatalf("sign: %s, want %s", got, want)
				}
			case 1:
				if !s.Verify([]byte(text), strings.ToUpper(want)) {
					rt.Fatal("the right signature is refused")
				}
			case 2:
				if s.Verify([]byte(text), standard(secret+"x", text)) {
					rt.Fatal("the signature of another secret is accepted")
				}
			case 3:
				if bad := rapid.SampledFrom([]string{"", want[1:], want + "0", "g" + want[1:], strings.Repeat("\x10", 64)}); s.Verify([]byte(text), bad.Draw(rt, "bad")) {
					rt.Fatal("a signature of a wrong form is accepted")
				}
			}
		}
	})
}

func TestSigningConcurrently(t *testing.T) {
	var wg sync.WaitGroup
	for _, secret := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			for n := range 200 {
				text := strings.Repeat(secret, 5*n)
				if want := standard(secret, text); !auth.Secret(secret).Verify([]byte(text), want) {
					t.Errorf("secret %s, text of %d: the right signature is refused", secret, len(text))
				}
			}
		})
	}
	wg.Wait()
}

// P-173: parts are verified as the text that is made of them.
func TestVerifyChannel(t *testing.T) {
	for _, v := range channelVectors {
		t.Run(v.name, func(t *testing.T) {
			parts := strings.SplitN(v.text, ":", 3)
			id, name, secret := protocol.SocketID(parts[0]), protocol.ChannelName(parts[1]), auth.Secret(v.secret)
			var data, other *string
			empty := ""
			if len(parts) == 3 {
				data = &parts[2]
			} else {
				other = &empty
			}
			if !secret.VerifyChannel(id, name, data, v.digest) {
				t.Errorf("the digest of %q is refused", v.text)
			}
			for what, ok := range map[string]bool{
				"channel data there or not": secret.VerifyChannel(id, name, other, v.digest),
				"another socket":            secret.VerifyChannel(id+"1", name, data, v.digest),
				"another channel":           secret.VerifyChannel(id, name+"1", data, v.digest),
				"another secret":            (secret + "1").VerifyChannel(id, name, data, v.digest),
				"no signature":              secret.VerifyChannel(id, name, data, ""),
			} {
				if ok {
					t.Errorf("%s: the digest of %q is accepted", what, v.text)
				}
			}
		})
	}
}

// P-173: parts are verified as the text that is made of them.
func TestVerifyUser(t *testing.T) {
	for _, v := range userVectors {
		t.Run(v.name, func(t *testing.T) {
			id, data, _ := strings.Cut(v.text, "::user::")
			secret := auth.Secret(v.secret)
			if !secret.VerifyUser(protocol.SocketID(id), data, v.digest) {
				t.Errorf("the digest of %q is refused", v.text)
			}
			if secret.VerifyUser(protocol.SocketID(id), data+" ", v.digest) || secret.VerifyUser(protocol.SocketID(id+"1"), data, v.digest) {
				t.Errorf("the digest of %q is accepted for another text", v.text)
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	data := `{"user_id":10,"user_info":{"name":"Mr. Channels"}}`
	text := []byte(auth.ChannelText("1234.1234", "presence-foobar", &data))
	first, second := auth.Secret("7ad3773142a6692b25b8"), auth.Secret("another secret of an app")
	signature := first.Sign(text)
	b.Run("secrets=1", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !first.VerifyChannel("1234.1234", "presence-foobar", &data, signature) {
				b.Fatal("refused")
			}
		}
	})
	b.Run("secrets=2", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			first, second = second, first
			second.VerifyChannel("1234.1234", "presence-foobar", &data, signature)
		}
	})
	b.Run("crypto-hmac", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			h := hmac.New(sha256.New, []byte(first))
			h.Write([]byte(auth.ChannelText("1234.1234", "presence-foobar", &data)))
			want, err := hex.DecodeString(signature)
			if err != nil {
				b.Fatal(err)
			}
			hmac.Equal(h.Sum(nil), want)
		}
	})
}
