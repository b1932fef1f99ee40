package ws

import (
	"io"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// A message of endless empty fragments never ends and never grows: only the
// bytes it takes bound it.
func TestEndlessFragmentsEndTheConnection(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		c := serve(t, nil).dialRaw()
		received := make(chan []byte, 1)
		go func() {
			all, _ := io.ReadAll(c.in)
			received <- all
		}()
		const moreToCome = 0x00 // no FIN bit
		if err := c.write([]byte{moreToCome | testkit.OpText, 0x80 | 1, 0, 0, 0, 0, '{'}); err != nil {
			t.Fatal(err)
		}
		empty := make([]byte, 0, 6*1000)
		for range 1000 {
			empty = append(empty, moreToCome, 0x80, 0, 0, 0, 0) // continuation
		}
		for range 50 { // 300 KB
			if c.write(empty) != nil {
				break
			}
		}
		_ = c.conn.Close()
		frames := testkit.Frames(t, <-received)
		if last := frames[len(frames)-1]; last.Code != 1002 {
			t.Errorf("the connection ended with %+v, want close 1002", last)
		}
	})
}
