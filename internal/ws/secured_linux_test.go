package ws

import (
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/netpoll"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// A peer gets the answers of TLS that its socket had no room for, even if nothing
// else is ever sent to it.
func TestAnswersOfTLSWaitForRoom(t *testing.T) {
	poller, err := netpoll.New(newWork)
	if err != nil {
		t.Fatal(err)
	}
	client, server := narrowPair(t)
	secure := tls.Server(netpoll.NewUnderlay(server), &tls.Config{Certificates: []tls.Certificate{testkit.Certificate(t)}})
	shaken := make(chan error, 1)
	go func() { shaken <- secure.HandshakeContext(t.Context()) }()
	c := secureByHand(t, client)
	if err := <-shaken; err != nil {
		t.Fatal(err)
	}
	of := &connection{turn: &hub.Turn{}}
	if err := of.openPolled(poller, secure, nil, 1<<20); err != nil {
		t.Fatal(err)
	}
	p := of.source.(*polled)
	defer func() {
		of.out.End()
		_ = poller.Close()
	}()

	var asked int64
	for answers := 0; !p.secured.under.Held(); answers++ {
		if answers == 1_000_000 {
			t.Fatal("the socket takes everything")
		}
		records := append(c.keyUpdate(true), c.record(recordData, []byte{1})...)
		if _, err := c.Conn.Write(records); err != nil {
			t.Fatal(err)
		}
		asked++
		for n := 0; n == 0; {
			p.Await()
			if n, err = p.take(make([]byte, 10)); err != nil {
				t.Fatal(err)
			}
		}
		p.idle() // as before every wait
	}
	for c.updates.Load() < asked {
		if _, err := c.read(); err != nil {
			t.Fatalf("after %d of %d answers: %v", c.updates.Load(), asked, err)
		}
	}
	if of.out.Gone() != nil {
		t.Error("something is waiting still")
	}
}

// narrowPair returns a client with little room for what it does not read, and its
// server. Over a Unix socket one direction does not slow the other down.
func narrowPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "unix", t.TempDir()+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var dialer net.Dialer
	if client, err = dialer.DialContext(t.Context(), "unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), server.Close() })
	_ = client.SetDeadline(time.Now().Add(30 * time.Second))
	_ = server.(*net.UnixConn).SetWriteBuffer(4 << 10)
	return client, server
}
