package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Beginnings of the two lines that the writer prints.
const (
	listening = "listening "
	wrote     = "wrote "
)

// limitWriter writes frames to sockets and does nothing else. Its frames are
// those that a server sends for an event of the fan-out scenario.
type limitWriter struct {
	sockets []*rawSocket
	data    eventData
	frames  []byte // FramesPerWrite of them
	stamps  []int  // where the stamp of each begins
	written uint64 // frames to each socket
}

// ServeLimit is the other side of the limit scenario: it listens on loopback,
// tells where on out, accepts o.Connections and writes to each of them, a frame
// for each byte that it reads from in, or at o.Rate from the first byte on. It
// returns at the end of in.
func ServeLimit(ctx context.Context, o Options, in io.Reader, out io.Writer) error {
	if o.Connections < 1 || o.Connections > maxCount || o.Size < minSize || o.Size > maxSize ||
		o.FramesPerWrite < 1 || o.FramesPerWrite > maxInFlight || o.Rate < 0 || o.Rate > maxRate {
		return errors.New("write frames: an option is out of its bounds")
	}
	if err := needDescriptors(o.Connections + spareDescriptors); err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	defer func() { _ = listener.Close() }()
	if _, err := fmt.Fprintf(out, "%s%s\n", listening, listener.Addr()); err != nil {
		return fmt.Errorf("tell the address: %w", err)
	}
	w := newLimitWriter(&o)
	defer w.close()
	if err := w.accept(listener.(*net.TCPListener), o.Connections); err != nil {
		return err
	}
	if o.Rate > 0 {
		err = w.serveRate(ctx, in, o.Rate)
	} else {
		err = w.serveCredits(in)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s%d\n", wrote, w.written)
	return err
}

func newLimitWriter(o *Options) *limitWriter {
	w := &limitWriter{data: newEventData(o.Size)}
	const before = `{"event":"tick","channel":"load-0","data":"`
	payload := append(w.data.append([]byte(before), 0, 0), `"}`...)
	for range o.FramesPerWrite {
		w.frames = appendServerFrame(w.frames, payload)
		w.stamps = append(w.stamps, len(w.frames)-len(payload)+len(before)+w.data.stampAt())
	}
	return w
}

func (w *limitWriter) close() {
	for _, s := range w.sockets {
		_ = s.conn.Close()
	}
}

func (w *limitWriter) accept(listener *net.TCPListener, count int) error {
	for len(w.sockets) < count {
		_ = listener.SetDeadline(time.Now().Add(waitForReader))
		conn, err := listener.AcceptTCP()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		s, err := newRawSocket(conn)
		if err != nil {
			_ = conn.Close()
			return fmt.Errorf("accept: %w", err)
		}
		w.sockets = append(w.sockets, s)
	}
	return nil
}

// round writes one piece to each socket.
func (w *limitWriter) round() error {
	at := now()
	for _, stamp := range w.stamps {
		w.data.put(w.frames[stamp:], at, w.written)
		w.written++
	}
	for _, s := range w.sockets {
		n, err := s.write(w.frames)
		if err == nil && n < len(w.frames) { // full: wait for the reader
			_ = s.conn.SetWriteDeadline(time.Now().Add(waitForReader))
			_, err = s.conn.Write(w.frames[n:])
		}
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
	}
	return nil
}

func (w *limitWriter) serveCredits(in io.Reader) error {
	var credits int
	buffer := make([]byte, maxInFlight)
	for {
		n, err := in.Read(buffer)
		for credits += n; credits >= len(w.stamps); credits -= len(w.stamps) {
			if err := w.round(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read credit: %w", err)
		}
	}
}

func (w *limitWriter) serveRate(ctx context.Context, in io.Reader, rate float64) (err error) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(in, first); err != nil {
		return nil // ended before it began
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, in) // until the end, which is all that is waited for
		stop()
	}()
	pace(ctx, rate/float64(len(w.stamps)), func(int64) {
		if err == nil {
			if err = w.round(); err != nil {
				stop()
			}
		}
	})
	return err
}
