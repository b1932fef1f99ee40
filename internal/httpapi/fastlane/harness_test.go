package fastlane

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience is how long a test waits for what has to happen.
const patience = 10 * time.Second

var generous = Limits{Head: time.Minute, Body: time.Minute, Write: time.Minute, Idle: time.Minute}

var pair = auth.Key{Key: "278d425bdf160c739803", Secret: "7ad3773142a6692b25b8"}

// newAPI returns an API over a real hub with the app 3. A Publisher that is not
// nil takes the events in its place.
func newAPI(t testing.TB, publish func()) *httpapi.API {
	t.Helper()
	app := apps.Defaults()
	app.ID, app.Keys = "3", auth.Keys{pair}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	h := hub.New(hub.Options{Registry: registry})
	return httpapi.New(httpapi.Options{Registry: registry, Hub: tappedHub{h, publish}})
}

// tappedHub calls publish before each event, if that is there.
type tappedHub struct {
	*hub.Hub
	publish func()
}

func (h tappedHub) PublishEach(app *apps.App, p hub.Publication, channels ...protocol.ChannelName) {
	if h.publish != nil {
		h.publish()
	}
	h.Hub.PublishEach(app, p, channels...)
}

// site is a server with the lane in front.
type site struct {
	t      testing.TB
	lane   *Listener
	server *http.Server
	behind atomic.Int64 // requests that reached net/http
}

func newSite(t testing.TB, api *httpapi.API, limits Limits) *site {
	t.Helper()
	return serveOn(t, listenTCP(t), api, limits)
}

func listenTCP(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serveOn(t testing.TB, l net.Listener, api *httpapi.API, limits Limits) *site {
	t.Helper()
	s := &site{t: t, lane: New(l, api, limits)}
	s.server = &http.Server{
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug),
		ReadHeaderTimeout: limits.Head, ReadTimeout: limits.Body, WriteTimeout: limits.Write, IdleTimeout: limits.Idle,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.behind.Add(1)
			if r.URL.Path == "/hijack" {
				s.hijack(w)
				return
			}
			api.ServeHTTP(w, r)
		}),
	}
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.lane) }()
	t.Cleanup(func() {
		_ = s.server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		s.lane.Wait(ctx)
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return s
}

// shutdown closes the lane in the way that the server's owner does.
func (s *site) shutdown() {
	s.t.Helper()
	if err := s.server.Shutdown(s.t.Context()); err != nil {
		s.t.Error(err)
	}
}

// hijack takes the connection over and sends back what comes.
func (s *site) hijack(w http.ResponseWriter) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.t.Error(err)
		return
	}
	early, _ := buffered.Peek(buffered.Reader.Buffered())
	conn = Unwrap(conn)
	defer func() { _ = conn.Close() }()
	_, _ = fmt.Fprintf(conn, "%T:%s", conn, early)
	_, _ = io.Copy(conn, conn)
}

// client is a connection to a site.
type client struct {
	*net.TCPConn
	t      testing.TB
	reader *bufio.Reader
}

func dial(t testing.TB, to net.Addr) *client {
	t.Helper()
	conn, err := net.Dial(to.Network(), to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &client{conn.(*net.TCPConn), t, bufio.NewReader(conn)}
}

func (s *site) dial() *client {
	s.t.Helper()
	return dial(s.t, s.lane.Addr())
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// next reads an answer and returns it whole, but for the time of day.
func (c *client) next() string {
	c.t.Helper()
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	closes := ""
	if answer.Close {
		closes = ", closes"
	}
	return fmt.Sprintf("%d%s: %s", answer.StatusCode, closes, body)
}

// rest reads until the server ends the connection.
func (c *client) rest() string {
	c.t.Helper()
	text, err := io.ReadAll(c.reader)
	if errors.Is(err, context.DeadlineExceeded) || isTimeout(err) {
		c.t.Fatal("the server does not end the connection")
	}
	return today.ReplaceAllString(string(text), "Date: today")
}

var today = regexp.MustCompile(`Date: [^\r]*`)

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// trigger returns a whole signed request, with header lines of its own.
func trigger(body string, lines ...string) string { return post("/apps/3/events", body, lines...) }

func post(path, body string, lines ...string) string {
	query := auth.SignedQuery(pair, "POST", path, nil, []byte(body), time.Now())
	head := "POST " + path + "?" + query + " HTTP/1.1\r\nHost: x\r\n"
	for _, line := range lines {
		head += line + "\r\n"
	}
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

const plain = `{"name":"e","channel":"c","data":"d"}`

// last is the header line of the last request on a connection.
const last = "Connection: close"

func get(path string, lines ...string) string {
	query := auth.SignedQuery(pair, "GET", path, nil, nil, time.Now())
	return "GET " + path + "?" + query + " HTTP/1.1\r\nHost: x\r\n" + strings.Join(append(lines, "", ""), "\r\n")
}
