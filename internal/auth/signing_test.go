package auth_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// P-173
func TestVectorsAreReproduced(t *testing.T) {
	all := slices.Concat(channelVectors, userVectors, requestVectors, webhookVectors)
	if len(all) != 45 {
		t.Fatalf("%d vectors, want V-01 to V-45", len(all))
	}
	for _, v := range all {
		t.Run(v.name, func(t *testing.T) {
			secret := auth.Secret(v.secret)
			if got := secret.Sign([]byte(v.text)); got != v.digest {
				t.Errorf("Sign(%q) = %s, want %s", v.text, got, v.digest)
			}
			if !secret.Verify([]byte(v.text), v.digest) {
				t.Errorf("Verify refuses its own digest of %q", v.text)
			}
		})
	}
}

// P-173: the text of a channel authorization is made of its parts.
func TestChannelText(t *testing.T) {
	for _, v := range channelVectors {
		t.Run(v.name, func(t *testing.T) {
			parts := strings.SplitN(v.text, ":", 3)
			var data *string
			if len(parts) == 3 {
				data = &parts[2]
			}
			text := auth.ChannelText(protocol.SocketID(parts[0]), protocol.ChannelName(parts[1]), data)
			if text != v.text {
				t.Errorf("ChannelText = %q, want %q", text, v.text)
			}
			pair := auth.Key{Key: "some-key", Secret: auth.Secret(v.secret)}
			if got, want := auth.Token(pair, text), "some-key:"+v.digest; got != want {
				t.Errorf("Token = %q, want %q", got, want)
			}
		})
	}
}

// P-173: the text of a sign-in is made of its parts.
func TestUserText(t *testing.T) {
	for _, v := range userVectors {
		t.Run(v.name, func(t *testing.T) {
			id, data, _ := strings.Cut(v.text, "::user::")
			if text := auth.UserText(protocol.SocketID(id), data); text != v.text {
				t.Errorf("UserText = %q, want %q", text, v.text)
			}
		})
	}
}

// requestBodies are the bodies of the request vectors by their MD5.
var requestBodies = map[string]string{
	"":                                 "",
	"d41d8cd98f00b204e9800998ecf8427e": "",
	"99914b932bd37a50b983c5e7c90ae93b": "{}",
	"7b3d404f5cde4a0b9b8fb4789a0098cb": `{"some":"data"}`,
	"ec365a775a4cd0599faeb73354201b6f": `{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}`,
	"5e77a9a2e624a684fe92599522c24d9d": `{"batch":[{"channel":"a","name":"e","data":"1"},{"channel":"presence-b","name":"e","data":"{\"x\":1}","info":"user_count"}]}`,
}

// vectorRequest is the request of a vector as it is on the wire, its clock and
// its keys. Parameters stand in reverse order and percent-encoded.
func vectorRequest(t *testing.T, v vector) (auth.Request, auth.Keys, time.Time) {
	t.Helper()
	lines := strings.Split(v.text, "\n")
	values := map[string]string{}
	pairs := strings.Split(lines[2], "&")
	var wire []string
	for _, pair := range slices.Backward(pairs) {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
		wire = append(wire, url.QueryEscape(name)+"="+url.QueryEscape(value))
	}
	if strings.Contains(lines[2], "[]") { // order of an array is part of the text
		slices.Reverse(wire)
	}
	body, ok := requestBodies[values["body_md5"]]
	if !ok {
		t.Fatalf("no body for md5 %s", values["body_md5"])
	}
	seconds, err := strconv.ParseInt(values["auth_timestamp"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	r := auth.Request{
		Method: lines[0],
		Path:   strings.ReplaceAll(lines[1], " ", "%20"),
		Query:  auth.ParseQuery(strings.Join(append(wire, "auth_signature="+v.digest), "&")),
		Body:   []byte(body),
	}
	keys := auth.Keys{{Key: values["auth_key"], Secret: auth.Secret(v.secret)}}
	return r, keys, time.Unix(seconds, 0)
}

// P-173, P-174: V-20 is the documentation's trigger with body B1.
func TestVectorRequestsAreAccepted(t *testing.T) {
	for _, v := range requestVectors {
		t.Run(v.name, func(t *testing.T) {
			r, keys, now := vectorRequest(t, v)
			if err := r.Verify(keys, now); err != nil {
				t.Errorf("Verify: %v", err)
			}
		})
	}
}

// P-173: signing gives the digests of the vectors whose query order and MD5 are
// what the signer itself makes of them.
func TestSignedQuery(t *testing.T) {
	for _, v := range requestVectors {
		lines := strings.Split(v.text, "\n")
		params, _ := url.ParseQuery(lines[2])
		if params.Get("body_md5") == "d41d8cd98f00b204e9800998ecf8427e" {
			continue // only Python sends that
		}
		t.Run(v.name, func(t *testing.T) {
			_, keys, now := vectorRequest(t, v)
			body := []byte(requestBodies[params.Get("body_md5")])
			for _, own := range []string{"auth_key", "auth_timestamp", "auth_version", "body_md5"} {
				params.Del(own)
			}
			query := auth.SignedQuery(keys[0], strings.ToLower(lines[0]), lines[1], params, body, now)
			got, err := url.ParseQuery(query)
			if err != nil {
				t.Fatalf("query %q: %v", query, err)
			}
			if got.Get("auth_signature") != v.digest {
				t.Errorf("signature %s, want %s\nquery %s", got.Get("auth_signature"), v.digest, query)
			}
		})
	}
}

func TestSignedQueryLeavesItsParametersAlone(t *testing.T) {
	params := url.Values{"info": {"user_count"}}
	auth.SignedQuery(auth.Key{Key: "k", Secret: "s"}, "GET", "/apps/3/channels", params, nil, time.Unix(0, 0))
	if len(params) != 1 {
		t.Errorf("params became %v", params)
	}
}

// The shared secret of encrypted channels is the client's business; the vectors
// pin the formula that the documentation gives.
func TestEncryptedChannelSecretVectors(t *testing.T) {
	master := make([]byte, 32)
	for i := range master {
		master[i] = byte(i)
	}
	sum := sha256.Sum256(append([]byte("private-encrypted-foobar"), master...))
	if got := base64.StdEncoding.EncodeToString(sum[:]); got != "g3Au6SZ+UCU+IMfFsFva0rq+Gi4tzSHR6WCcWZbS9sY=" {
		t.Errorf("shared secret %s", got)
	}
	sum = sha256.Sum256([]byte("private-encrypted-bla" + "This is a string that is 32 chars"))
	if got := hex.EncodeToString(sum[:]); got != "004831f99d2a4e86723e893caded3a2897deeddbed9514fe9497dcddc52bd50b" {
		t.Errorf("shared secret %s", got)
	}
}
