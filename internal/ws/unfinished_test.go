package ws

import (
	"bufio"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

const pingText = `{"event":"pusher:ping","data":{}}`

// Whatever a client has sent of a message, and whatever else it goes on to send,
// the connection ends when the message has not ended in 150 s: the activity
// timeout and the pong timeout.
func TestUnfinishedMessageEndsTheConnection(t *testing.T) {
	whole := textFrame(0x81, pingText)
	fragment := textFrame(0x01, pingText[:5])
	for _, c := range []struct {
		name  string
		begun []byte
		pings bool // may be sent in between
	}{
		{"half a header", whole[:1], false},
		{"a header without its mask", whole[:4], false},
		{"half a payload", whole[:len(whole)-1], false},
		{"half a ping", textFrame(0x89, "p")[:6], false},
		{"half a message behind a whole one", append(whole, whole[:10]...), false},
		{"the first fragment, then nothing", fragment, false},
		{"the first fragment, then pings for ever", fragment, true},
		{"two fragments, then pings for ever", append(fragment, textFrame(0x00, "")...), true},
		{"a fragment and half a ping", append(fragment, textFrame(0x89, "p")[:6]...), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := serve(t, nil)
				client := s.dialRaw()
				received := client.collect()
				time.Sleep(time.Minute) // so that the first look is not at the end of the time
				begun := time.Now()
				if err := client.write(c.begun); err != nil {
					t.Fatal(err)
				}
				var pings sync.WaitGroup
				pings.Go(func() {
					for c.pings && client.send(opPing, "") == nil {
						time.Sleep(10 * time.Second)
					}
				})
				frames := <-received
				last := frames[len(frames)-1]
				if last.Code != protocol.CodePongTimeout {
					t.Fatalf("the connection ended with %+v, want close 4201", last)
				}
				took := time.Since(begun) - 5*time.Second // of the close handshake, which such a client does not answer
				if took > 150*time.Second+2*deadlineTick || c.pings && (took < 150*time.Second || last.Reason != "Message not finished in time") {
					t.Errorf("the message was given %v, then %q", took, last.Reason)
				}
				_ = client.conn.Close()
				pings.Wait()
			})
		})
	}
}

// collect reads in the background until the connection ends.
func (c *rawClient) collect() <-chan []testkit.Frame {
	received := make(chan []testkit.Frame, 1)
	go func() {
		var all []byte
		for r := bufio.NewReader(c.in); ; {
			b, err := r.ReadByte()
			if err != nil {
				received <- testkit.Frames(c.t, all)
				return
			}
			all = append(all, b)
		}
	}()
	return received
}

func TestSlowMessageInTimeIsNotDisturbed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		client := serve(t, nil).dialRaw()
		received := client.collect()
		message := append(textFrame(0x01, pingText[:9]), textFrame(0x80, pingText[9:])...)
		for range 4 { // each message has its own time
			for _, b := range message {
				if err := client.write([]byte{b}); err != nil {
					t.Fatal(err)
				}
				time.Sleep(140 * time.Second / time.Duration(len(message)))
			}
		}
		synctest.Wait()
		_ = client.conn.Close()
		pongs := 0
		for _, f := range <-received {
			if f.Code != 0 {
				t.Fatalf("closed with %+v", f)
			}
			if f.Event == protocol.EventPong {
				pongs++
			}
		}
		if pongs != 4 {
			t.Errorf("%d of 4 messages were answered", pongs)
		}
	})
}

// impatient makes a message's time half a second.
func impatient(app *apps.App) {
	app.ActivityTimeout, app.PongTimeout = 250*time.Millisecond, 250*time.Millisecond
}

// The same over sockets, in real time.
func TestUnfinishedMessageEndsOnTwins(t *testing.T) {
	onTwinsWith(t, impatient, func(t *testing.T, s *socketServer) {
		r := subscribe(t, s.dial())
		if _, err := r.conn.Write(textFrame(0x01, pingText[:5])); err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := r.conn.Write(textFrame(0x89, "")); err != nil {
				t.Fatal(err)
			}
			f := r.next() // a pong, or one of the server's pings
			if f.Code == 0 {
				continue
			}
			if f.Code != protocol.CodePongTimeout || f.Reason != "Message not finished in time" {
				t.Errorf("closed with %+v", f)
			}
			return
		}
	})
}

// A client that always has sent a part of its next message is not one that does
// not end a message.
func TestEndsOfMessagesAreSeenAmongBeginnings(t *testing.T) {
	const limit = time.Second // which a busy machine keeps; half of it for each of two
	settings := func(app *apps.App) { app.ActivityTimeout, app.PongTimeout = limit/2, limit/2 }
	onTwinsWith(t, settings, func(t *testing.T, s *socketServer) {
		r := subscribe(t, s.dial())
		message := textFrame(0x81, pingText)
		half := len(message) / 2
		if _, err := r.conn.Write(message[:half]); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); time.Since(began) < 2*limit; {
			if _, err := r.conn.Write(append(message[half:len(message):len(message)], message[:half]...)); err != nil {
				t.Fatal(err)
			}
			for f := r.next(); f.Event != protocol.EventPong; f = r.next() {
				if f.Code != 0 {
					t.Fatalf("closed with %+v", f)
				}
			}
		}
	})
}
