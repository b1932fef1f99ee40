package testkit

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// Run by TestMainFindsLeaks in a process of its own.
func TestLeaky(t *testing.T) {
	if os.Getenv("TESTKIT_LEAK") == "" {
		t.Skip("leaks on purpose, in a child process only")
	}
	never := make(chan struct{})
	go func() { <-never }()
}

func TestMainFindsLeaks(t *testing.T) {
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLeaky$")
	child.Env = append(os.Environ(), "TESTKIT_LEAK=1")
	out, err := child.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "TestLeaky") {
		t.Fatalf("a leaked goroutine passed the gate: %v\n%s", err, out)
	}
}

// The gate of this very package must not trip over what these leave behind.
func TestMainToleratesIdleConnections(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	_ = netip.MustParseAddr("fe80::1%eth0") // interned by package unique
}
