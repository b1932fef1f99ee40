package httpapi

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// Error is an answer other than success: a status and one line of text. Client
// libraries put the text into the exception that they raise.
type Error struct {
	Status  int
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Answers whose text never changes (§7.2 and the endpoints' sections).
var (
	errNotFound        = &Error{http.StatusNotFound, "Not found"}
	errMethod          = &Error{http.StatusMethodNotAllowed, "Method not allowed"}
	errUpgradeRequired = &Error{http.StatusUpgradeRequired, "This is a WebSocket endpoint: connect to it with an Upgrade: websocket request"}
	errNoFallbacks     = &Error{http.StatusNotFound, "HTTP fallback transports are not served: set enabledTransports to ['ws', 'wss'] and wsHost to this host"}
	errPath            = invalid("Invalid escape in the path")
	errUnknownApp      = &Error{http.StatusNotFound, "Unknown app_id"}
	errAppDisabled     = &Error{http.StatusForbidden, "App disabled"}
	errInternal        = &Error{http.StatusInternalServerError, "Internal error"}

	errBodyRead    = invalid("The request body could not be read")
	errBodyTimeout = &Error{http.StatusRequestTimeout, "The request body did not arrive in time"}
	errNotObject   = invalid("Expected the request body to be a JSON object")
	errBatchItem   = invalid("Expected each item of batch to be an object")
	errUTF8        = invalid("The request is not valid UTF-8")

	errNameType     = invalid("Expected name parameter to be a string")
	errNameReserved = invalid("The 'pusher' namespace is reserved for internal usage")
	errSocketID     = invalid("Invalid socket_id")
	errUserID       = invalid("Invalid user id")
	errInfo         = invalid("info should be a comma separated list of attributes")

	errUserCountPrefix  = invalid("user_count may only be requested for presence channels - please supply filter_by_prefix begining with presence-")
	errUserCountChannel = invalid("Cannot retrieve the user count unless the channel is a presence channel")
	errCacheChannel     = invalid("Cannot retrieve the cache unless the channel is a cache channel")
	errUsersChannel     = invalid("Users can only be retrieved for presence channels")

	errHistoryOff         = &Error{http.StatusNotFound, "History is off for this app"}
	errHistoryChannel     = &Error{http.StatusNotFound, "History is not kept for this channel"}
	errHistoryLimit       = invalid("limit should be a whole number from 1 to " + strconv.Itoa(maxHistoryLimit))
	errHistoryOrder       = invalid("order should be newest or oldest")
	errHistoryCursor      = invalid("Invalid cursor")
	errHistoryUnavailable = &Error{http.StatusServiceUnavailable, "History is not available"}
)

func invalid(message string) *Error { return &Error{http.StatusBadRequest, message} }

func errMissing(parameter string) *Error { return invalid("Missing required parameter: " + parameter) }

func errChannelName(name string) *Error { return invalid("Invalid channel name " + name) }

func errHistoryTime(parameter string) *Error {
	return invalid(parameter + " should be a time in Unix milliseconds")
}

// errTooMany tells a count and the limit that it is over.
func errTooMany(what string, n, limit int) *Error {
	return invalid(what + " (" + strconv.Itoa(n) + " > " + strconv.Itoa(limit) + ")")
}

func errEventSize(limit int) *Error {
	return &Error{http.StatusRequestEntityTooLarge, protocol.TextEventSize(limit)}
}

func errBodySize(limit int64) *Error {
	return &Error{http.StatusRequestEntityTooLarge, "The request body exceeds the allowed maximum (" + strconv.FormatInt(limit, 10) + " bytes)."}
}

// errorOf maps an error to its answer; known is false for one that nobody
// outside may read.
func errorOf(err error) (answer *Error, known bool) {
	if answer, ok := errors.AsType[*Error](err); ok {
		return answer, true
	}
	if refused, ok := errors.AsType[*auth.RequestError](err); ok {
		return &Error{http.StatusUnauthorized, refused.Text}, true
	}
	for _, jsonError := range []error{strictjson.ErrSyntax, strictjson.ErrDepth, strictjson.ErrUTF8, strictjson.ErrTwice} {
		if errors.Is(err, jsonError) {
			return invalid("The request body is not accepted: " + jsonError.Error()), true
		}
	}
	return errInternal, false
}

// maxErrorText bounds an error body. The longest texts explain a signature, and
// bound themselves below this.
const maxErrorText = 16 << 10

// Header values that are shared by all answers and never changed.
var (
	headerText    = []string{"text/plain; charset=utf-8"}
	headerJSON    = []string{"application/json"}
	headerNosniff = []string{"nosniff"}
)

// writeError sends e.
func writeError(w http.ResponseWriter, e *Error) {
	h := w.Header()
	h["Content-Type"] = headerText
	h["X-Content-Type-Options"] = headerNosniff
	w.WriteHeader(e.Status)
	_, _ = w.Write(e.appendText(nil)) // a client that is gone needs no answer
}

// appendText appends e as one line. Names and values of the request that stand in
// the message cannot break out of it.
func (e *Error) appendText(dst []byte) []byte {
	return append(append(dst, auth.Echo(e.Message, maxErrorText)...), '\n')
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header()["Content-Type"] = headerJSON
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
