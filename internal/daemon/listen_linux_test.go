package daemon

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// Connections over the daemon's own TLS are served by loops like plain ones.
func TestIdleTLSConnectionsHaveNoGoroutine(t *testing.T) {
	const connections = 40
	dir := t.TempDir()
	files := config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	writeCertificate(t, files)
	s := run(t, func(o *Options) { o.Config.TLS = files })
	before := runtime.NumGoroutine()
	for range connections {
		conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(t.Context(), "tcp", s.public)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, "GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		in := bufio.NewReader(conn)
		response, err := http.ReadResponse(in, nil)
		if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("handshake: %v, %v", response, err)
		}
		if _, err := in.ReadByte(); err != nil { // the first frame: the session has begun
			t.Fatal(err)
		}
	}
	testkit.WaitFor(t, func() bool { return runtime.NumGoroutine() < before+connections/2 }, "the connections' goroutines to end")
}
