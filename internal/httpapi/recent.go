package httpapi

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// Names of events and channels come again and again. recentNames keeps some of
// the last ones, so that a request whose names came before takes no memory for
// them. It holds at most recentSlots names of recentBytes each: a MiB.
type recentNames struct {
	seed  maphash.Seed
	slots [recentSlots]atomic.Pointer[string]
}

const (
	recentSlots = 4096
	recentBytes = 256 // every valid name of ASCII characters is shorter
)

func newRecentNames() *recentNames { return &recentNames{seed: maphash.MakeSeed()} }

// text is [strictjson.Value.Text] for names.
func (r *recentNames) text(v strictjson.Value) (name string, ok bool) {
	b, ok := v.TextBytes()
	if !ok {
		return "", false
	}
	if len(b) > recentBytes {
		return string(b), true
	}
	slot := &r.slots[maphash.Bytes(r.seed, b)%recentSlots]
	if known := slot.Load(); known != nil && *known == string(b) {
		return *known, true
	}
	fresh := string(b)
	slot.Store(&fresh)
	return fresh, true
}
