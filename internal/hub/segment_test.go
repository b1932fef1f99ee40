package hub

import (
	"fmt"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// What a batch keeps for its next use is bounded, and keeps nothing else alive.
func TestBatchRelease(t *testing.T) {
	for _, tt := range []struct {
		segments, entries int
		keepsSegments     bool
		keepsEntries      bool
	}{
		{1, 1, true, true},
		{keptSegments, keptEntries / 2, true, true},
		{1, keptEntries + 1, true, false},
		{keptSegments + 1, 1, false, false},
	} {
		t.Run(fmt.Sprintf("%d segments of %d events", tt.segments, tt.entries), func(t *testing.T) {
			b, tn, a := new(batch), new(tenant), new(Attachment)
			for range tt.segments {
				seg := b.open()
				seg.subscribers, seg.deflate, seg.delivered = view{}, true, make(chan struct{})
				for range tt.entries {
					b.add(entry{frame: protocol.Pong(), except: a})
				}
			}
			b.deliver(tn)
			segments := b.segments
			b.release()
			if kept := len(b.segments) == 0; kept != tt.keepsSegments {
				t.Fatalf("segments were kept: %v", kept)
			}
			if !tt.keepsSegments {
				return
			}
			if b.events+b.bytes != 0 || b.round.seg != nil || b.round.plain.all != nil || b.round.tenant != nil {
				t.Errorf("left behind: %+v", b)
			}
			for i := range segments {
				seg := &segments[i]
				if seg.subscribers != nil || seg.deflate || seg.exclusions || seg.delivered != nil || len(seg.entries)+len(seg.twins) > 0 {
					t.Errorf("left behind: %+v", seg)
				}
				if kept := cap(seg.entries) > 0; kept != tt.keepsEntries {
					t.Errorf("entries were kept: %v", kept)
				}
				for _, e := range append(seg.entries[:cap(seg.entries)], seg.twins[:cap(seg.twins)]...) {
					if e.frame != nil || e.except != nil {
						t.Fatalf("an event is kept alive")
					}
				}
			}
		})
	}
}
