package httpapi

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// OpsAccess says who may use the operations listener.
type OpsAccess struct {
	Token   auth.Secret // "": none, and what needs one is for this machine only
	Require bool        // metrics, profiles and the reasons of /ready need the token too
}

// Refusals of the operations listener.
var (
	errOpsToken = &Error{http.StatusUnauthorized, "This needs the operations token: send Authorization: Bearer with the value of ops.token"}
	errOpsPeer  = &Error{http.StatusForbidden, "Without ops.token (PIPESOCKETD_OPS_TOKEN) the operations API answers programs on its own machine only: " +
		"configure a token and send it as Authorization: Bearer, or connect to a loopback address without a proxy"}
	errOpsPage = &Error{http.StatusForbidden, "Without ops.token (PIPESOCKETD_OPS_TOKEN) the operations API answers programs only that call it by a loopback address or localhost, " +
		"and no web pages: configure a token and send it as Authorization: Bearer"}
)

// opsGuard decides on requests by the access of this moment.
type opsGuard struct{ access func() OpsAccess }

// api guards what changes or shows the state of the server: the token if there is
// one, and else a program on this machine.
func (g opsGuard) api(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refused := g.access().refuseAPI(r); refused != nil {
			refuseOps(w, refused)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// rest guards everything else, which is open unless the token is required.
func (g opsGuard) rest(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.mayRead(r) {
			refuseOps(w, errOpsToken)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (g opsGuard) mayRead(r *http.Request) bool {
	a := g.access()
	return !a.Require || a.sent(r)
}

func refuseOps(w http.ResponseWriter, refused *Error) {
	if refused.Status == http.StatusUnauthorized {
		w.Header()["Www-Authenticate"] = []string{`Bearer realm="pipesocketd operations"`}
	}
	w.Header()["Cache-Control"] = []string{"no-store"}
	writeError(w, refused)
}

// refuseAPI returns why a request below /api/ is not answered, nil if it is.
//
// Without a token the peer's address is all there is to go by, so two kinds of
// requests that come from this machine are refused although they do: what a
// proxy passes on for somebody else, and what a browser sends for a page, which
// by a name of its own that leads to loopback could read the answers too.
func (a OpsAccess) refuseAPI(r *http.Request) *Error {
	switch {
	case a.sent(r):
		return nil
	case a.Token != "":
		return errOpsToken
	case !fromLoopback(r.RemoteAddr) || passedOn(r.Header):
		return errOpsPeer
	case fromPage(r.Header) || !namesLoopback(r.Host):
		return errOpsPage
	}
	return nil
}

// sent reports whether the request has the token. The time it takes does not
// depend on how much of it is right, nor on its length.
func (a OpsAccess) sent(r *http.Request) bool {
	fields := r.Header["Authorization"]
	if a.Token == "" || len(fields) != 1 {
		return false
	}
	scheme, claimed, ok := strings.Cut(fields[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	want, got := sha256.Sum256([]byte(a.Token)), sha256.Sum256([]byte(strings.Trim(claimed, " ")))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1
}

func fromLoopback(peer string) bool {
	at, err := netip.ParseAddrPort(peer)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// passedOn reports whether a proxy says that it speaks for somebody else.
func passedOn(h http.Header) bool {
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip", "Via"} {
		if len(h[name]) > 0 {
			return true
		}
	}
	return false
}

// fromPage reports whether a browser says that a page has asked for this. It does
// so with everything but the oldest kinds of links.
func fromPage(h http.Header) bool {
	site := h.Get("Sec-Fetch-Site")
	return len(h["Origin"]) > 0 || site != "" && site != "none"
}

// namesLoopback reports whether the Host header is one that only this machine
// has.
func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
