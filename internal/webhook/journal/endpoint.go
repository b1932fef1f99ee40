package journal

import (
	"crypto/sha256"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// endpointKey names an endpoint without its URL, which can hold secrets.
type endpointKey struct {
	app apps.ID
	url [sha256.Size]byte
	nth int
}

func keyOf(app apps.ID, url string, nth int) endpointKey {
	return endpointKey{app: app, url: sha256.Sum256([]byte(url)), nth: nth}
}

// endpoint is what payloads and events belong to. It may be one that the
// configuration does not have any more.
type endpoint struct {
	// Immutable.
	id    int64
	key   endpointKey
	label string

	// Guarded by Journal.mu.
	queue    *queue          // nil: not opened in this process
	counts   webhook.Backlog // in the database, of an earlier process; until it is opened
	last     int64           // the highest place of those
	restored []webhook.UnsealedEvent

	// Owned by the writer.
	exists   bool    // in the database
	sealed   int64   // events up to here are in payloads
	marked   int64   // sealed as it is in the database
	unsealed []int64 // keys of its rows in unsealed, oldest first
}

// OpenQueue implements [webhook.Journal].
func (j *Journal) OpenQueue(spec webhook.QueueSpec) webhook.Queue {
	key := keyOf(spec.App, spec.URL, spec.Nth)
	j.mu.Lock()
	defer j.mu.Unlock()
	e := j.endpoints[key]
	if e == nil {
		e = &endpoint{id: j.nextLocked(), key: key, label: spec.Label}
		j.endpoints[key] = e
		j.next.endpoints = append(j.next.endpoints, e)
		j.addedLocked(len(e.label), false)
	}
	q := &queue{
		j: j, endpoint: e, spec: spec,
		restored: e.restored,
		counts:   e.counts,
		entries:  make(map[*webhook.Payload]*entry),
	}
	q.bytes.Store(int64(e.counts.Bytes))
	if e.counts.Payloads > 0 {
		q.stored = []span{{first: 1, last: e.last}}
	}
	e.queue, e.restored, e.counts = q, nil, webhook.Backlog{}
	return q
}
