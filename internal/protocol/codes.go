package protocol

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Close codes (§1.5, §1.6) and the codes that only stand in pusher:error frames.
const (
	CodeTLSOnly            = 4000
	CodeUnknownApp         = 4001
	CodeAppDisabled        = 4003
	CodeOverQuota          = 4004
	CodePathNotFound       = 4005
	CodeInvalidVersion     = 4006
	CodeUnsupportedVersion = 4007
	CodeNoVersion          = 4008
	CodeUnauthorized       = 4009
	CodeOverCapacity       = 4100
	CodeReconnect          = 4200
	CodePongTimeout        = 4201

	CodeClientEventRate = 4301 // never closes
	CodeWatchlistLimit  = 4302 // never closes

	CodeGoingAway    = 1001
	CodeProtocol     = 1002
	CodeUnsupported  = 1003
	CodeInvalidUTF8  = 1007
	CodeTooBig       = 1009
	CodeServerError  = 1011
	maxCloseReason   = 123 // RFC 6455: 125 bytes of payload, two of them the code
	minAppCloseCode  = 4000
	maxAppCloseCode  = 4999
	errorBeforeClose = 6 // §1.3 rule 3: versions below get an error frame first
)

// CloseError is why the server ends a connection: what the peer may see of it.
type CloseError struct {
	Code   int
	Reason string

	// Announce sends a pusher:error frame with the same code and message before
	// the close, whatever the protocol version (§5.4).
	Announce bool
}

// Error implements error.
func (e CloseError) Error() string { return fmt.Sprintf("close %d: %s", e.Code, e.Reason) }

// Reasons for which the server closes.
var (
	CloseTLSOnly            = CloseError{Code: CodeTLSOnly, Reason: "Application only accepts SSL connections, reconnect using wss://"}
	CloseUnknownApp         = CloseError{Code: CodeUnknownApp, Reason: "Application does not exist"}
	CloseAppDisabled        = CloseError{Code: CodeAppDisabled, Reason: "Application disabled"}
	CloseOverQuota          = CloseError{Code: CodeOverQuota, Reason: "Application is over connection quota"}
	ClosePathNotFound       = CloseError{Code: CodePathNotFound, Reason: "Path not found"}
	CloseInvalidVersion     = CloseError{Code: CodeInvalidVersion, Reason: "Invalid version string format"}
	CloseUnsupportedVersion = CloseError{Code: CodeUnsupportedVersion, Reason: "Unsupported protocol version"}
	CloseNoVersion          = CloseError{Code: CodeNoVersion, Reason: "No protocol version supplied"}
	CloseNotAuthorized      = CloseError{Code: CodeUnauthorized, Reason: "Connection not authorized within timeout"}
	CloseTerminated         = CloseError{Code: CodeUnauthorized, Reason: "You got disconnected by the app.", Announce: true}
	CloseOverCapacity       = CloseError{Code: CodeOverCapacity, Reason: "Over capacity"}
	CloseReconnect          = CloseError{Code: CodeReconnect, Reason: "Please reconnect immediately"}
	ClosePongTimeout        = CloseError{Code: CodePongTimeout, Reason: "Pong reply not received"}
	CloseProtocol           = CloseError{Code: CodeProtocol, Reason: "WebSocket protocol violation"}
	CloseBinary             = CloseError{Code: CodeUnsupported, Reason: "Binary frames are not supported"}
	CloseInvalidUTF8        = CloseError{Code: CodeInvalidUTF8, Reason: "Text frame is not valid UTF-8"}
	CloseServerError        = CloseError{Code: CodeServerError, Reason: "Internal error"}
)

// NeedsErrorFrame reports whether a pusher:error frame with the same code and
// message goes before this close on a connection of the given version: for
// application close codes below version 6, the unknown version included, and
// for closes that are always announced.
func (e CloseError) NeedsErrorFrame(version int) bool {
	return e.IsAppCode() && (e.Announce || version < errorBeforeClose)
}

// IsAppCode reports whether the code is one of the application range 4000–4999.
func (e CloseError) IsAppCode() bool {
	return e.Code >= minAppCloseCode && e.Code <= maxAppCloseCode
}

// closeReason makes a reason what a close frame can carry: valid UTF-8, cut on
// a rune boundary.
func closeReason(reason string) string {
	reason = strings.ToValidUTF8(reason, "\ufffd")
	if len(reason) <= maxCloseReason {
		return reason
	}
	end := maxCloseReason
	for end > 0 && !utf8.RuneStart(reason[end]) {
		end--
	}
	return reason[:end]
}
