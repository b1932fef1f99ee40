package auth

import (
	"maps"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// SignedQuery returns the query string of a signed request, auth_signature
// included: params are the endpoint's own parameters, path is the path as it
// will be on the wire, and body is exactly what will be sent.
func SignedQuery(pair Key, method, path string, params url.Values, body []byte, now time.Time) string {
	all := make(url.Values, len(params)+5)
	maps.Copy(all, params)
	all.Set(paramKey, pair.Key)
	all.Set(paramTimestamp, strconv.FormatInt(now.Unix(), 10))
	all.Set(paramVersion, authVersion)
	if len(body) > 0 {
		digest := bodyMD5(body)
		all.Set(paramBodyMD5, string(digest[:]))
	}
	query := all.Encode()
	r := Request{Method: strings.ToUpper(method), Path: path, Query: ParseQuery(query)}
	return query + "&" + paramSignature + "=" + pair.Secret.Sign(r.documentedText())
}
