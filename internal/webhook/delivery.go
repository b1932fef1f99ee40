package webhook

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
)

// headerDelivery names a payload over all of its attempts, also those that are
// sealed afresh, so that receivers can tell a repetition. It is not signed.
const headerDelivery = "X-Pipesocket-Delivery"

// Delivery returns the name of the payload for receivers: its id, which says when
// it was made, and four bytes of the SHA-256 of its events, since other queues, of
// this process and of others, give ids too.
func (p *Payload) Delivery() string {
	sum := sha256.Sum256(p.events())
	return strconv.FormatInt(p.ID, 36) + "-" + hex.EncodeToString(sum[:4])
}

// events returns the part of the body that is the same however often the payload
// is sealed.
func (p *Payload) events() []byte {
	_, events, _ := bytes.Cut(p.Body, []byte(bodyMid))
	return bytes.TrimSuffix(events, []byte(bodyTail))
}
