package fastlane

import (
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
)

// appendAnswer appends an answer with its head, byte for byte as net/http sends
// it.
func appendAnswer(dst []byte, answer *httpapi.Answer, closes bool) []byte {
	if answer.Status == http.StatusOK {
		dst = append(dst, "HTTP/1.1 200 OK\r\n"...)
	} else {
		dst = strconv.AppendInt(append(dst, "HTTP/1.1 "...), int64(answer.Status), 10)
		dst = append(append(append(dst, ' '), http.StatusText(answer.Status)...), "\r\n"...)
	}
	dst = append(append(dst, answer.Header...), "Date: "...)
	dst = append(append(dst, date(answer.Made)...), "\r\nContent-Length: "...)
	dst = append(strconv.AppendInt(dst, int64(len(answer.Body)), 10), "\r\n"...)
	if closes {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(append(dst, "\r\n"...), answer.Body...)
}

// stamp is a time as it stands in answers, which changes once a second.
type stamp struct {
	second int64
	text   string
}

var latest atomic.Pointer[stamp]

func date(now time.Time) string {
	second := now.Unix()
	if s := latest.Load(); s != nil && s.second == second {
		return s.text
	}
	s := &stamp{second, now.UTC().Format(http.TimeFormat)}
	latest.Store(s)
	return s.text
}
