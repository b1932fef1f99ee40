package httpapi

import (
	"errors"
	"io"
	"net/http"
	"os"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// drainBytes is how much of a body over the limit is read and thrown away, so
// that a client that only sends on before it reads gets the 413 and not a reset
// connection. A body that announces more than that is not waited for.
const drainBytes = 4 << 20

// readBody reads the body of r into buf, from its start, and returns the buffer,
// which may have grown. It grows with what arrives, whatever the header
// announces.
func readBody(buf []byte, r *http.Request, limit int64) ([]byte, error) {
	buf = buf[:0]
	if r.Body == nil || r.Body == http.NoBody {
		return buf, nil
	}
	if r.ContentLength > limit {
		drain(r, limit)
		return buf, errBodySize(limit)
	}
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			drain(r, limit)
			return buf, errBodySize(limit)
		case errors.Is(err, io.EOF):
			return buf, nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			return buf, errBodyTimeout
		case err != nil:
			return buf, errBodyRead
		}
	}
}

func drain(r *http.Request, limit int64) {
	if r.ContentLength <= limit+drainBytes {
		_, _ = io.CopyN(io.Discard, r.Body, limit+drainBytes) // for the client's sake only
	}
}

// parseObject validates a body that must be one JSON object. The value shares
// memory with the body.
func parseObject(body []byte) (strictjson.Value, error) {
	v, err := strictjson.Parse(body)
	if err != nil {
		return nil, err
	}
	if v.Kind() != strictjson.Object {
		return nil, errNotObject
	}
	return v, nil
}
