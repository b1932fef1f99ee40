package bench

import "testing"

func TestEventName(t *testing.T) {
	for msg, want := range map[string]string{
		`{"event":"tick","channel":"c"}`:                            "tick",
		`{"channel":"c","event":"tick"}`:                            "tick",
		`{"channel":"c","data":"{\"event\":\"x\"}","event":"tick"}`: "tick",
		`{"data":{"event":"x"},"event":"tick"}`:                     "tick",
		`{"data":{"event":"x"}}`:                                    "",
		`{ "event" : "tick" }`:                                      "tick",
		`{"event":"a\"b","data":""}`:                                `a"b`,
		`{"event":"pusher:pong","data":"{}"}`:                       "pusher:pong",
		`{"event":"open`:                                            "",
		`not JSON`:                                                  "",
		`{"event":7}`:                                               "",
	} {
		if got := string(eventName([]byte(msg))); got != want {
			t.Errorf("event of %s is %q, want %q", msg, got, want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for msg, want := range map[string]string{
		`{"event":"pusher:error","data":{"code":4301,"message":"slow\ndown"}}`:                          "4301 slow down",
		`{"event":"pusher:error","data":{"code":null,"message":"no"}}`:                                  "no",
		`{"event":"pusher:subscription_error","data":"{\"type\":\"AuthError\",\"error\":\"not you\"}"}`: "not you",
		`{"event":"pusher:error"}`: `{"event":"pusher:error"}`,
	} {
		if got := errorText([]byte(msg)); got != want {
			t.Errorf("text of %s is %q, want %q", msg, got, want)
		}
	}
}

func TestCutUpgrade(t *testing.T) {
	const good = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nsec-websocket-accept: abc=\r\n\r\n"
	if n, err := cutUpgrade([]byte(good+"\x81\x00"), "abc="); n != len(good) || err != nil {
		t.Errorf("cut %d of %d, %v", n, len(good), err)
	}
	if n, err := cutUpgrade([]byte(good[:len(good)-1]), "abc="); n != 0 || err != nil {
		t.Errorf("cut %d of the beginning, %v", n, err)
	}
	for _, bad := range []string{"HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 101 x\r\n\r\n", string(make([]byte, maxUpgradeLen+1))} {
		if n, err := cutUpgrade([]byte(bad), "abc="); n != 0 || err == nil {
			t.Errorf("cut %d of %.30q, %v", n, bad, err)
		}
	}
	if n, err := cutUpgrade([]byte(good), "other="); n != 0 || err == nil {
		t.Errorf("cut %d with another proof, %v", n, err)
	}
}
