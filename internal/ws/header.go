package ws

import (
	"net/http"
	"strings"
)

// headerHasToken reports whether a comma-separated header lists a token.
func headerHasToken(header http.Header, name, token string) bool {
	for _, line := range header.Values(name) {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}
