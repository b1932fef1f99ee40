package hub

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestAttachmentSetAgreesWithModel(t *testing.T) {
	for _, most := range []int{1, 2, 5, 10 * fewAttachments} {
		t.Run(fmt.Sprint("up to ", most), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(most), 3))
			connections := make([]Attachment, most)
			var s attachmentSet
			in := make(map[*Attachment]bool)
			for round := range 60 * most {
				// In turns they mostly come and mostly go.
				a, come := &connections[r.IntN(most)], r.IntN(4) > 0 == (round/(10*most)%2 == 0)
				switch {
				case come && !in[a]:
					s.add(a)
					in[a] = true
				case !come && in[a]:
					s.remove(a)
					delete(in, a)
				}
				if most < fewAttachments || round%20 == 0 {
					checkAttachments(t, &s, in)
				}
			}
			for a := range in {
				s.remove(a)
			}
			if !s.empty() || s.rest != nil {
				t.Error("the empty set keeps something")
			}
		})
	}
}

func checkAttachments(t *testing.T, s *attachmentSet, want map[*Attachment]bool) {
	t.Helper()
	seen := make(map[*Attachment]bool, len(want))
	for a := range s.all() {
		if !want[a] || seen[a] {
			t.Fatal("the set has a connection twice, or one that left")
		}
		seen[a] = true
	}
	if len(seen) != len(want) || s.empty() != (len(want) == 0) {
		t.Fatalf("%d connections, want %d", len(seen), len(want))
	}
}

func TestAttachmentSetGivesMemoryBack(t *testing.T) {
	connections := make([]Attachment, 50*fewAttachments)
	var s attachmentSet
	for i := range connections {
		s.add(&connections[i])
	}
	for i := range connections[2:] {
		s.remove(&connections[i])
	}
	if s.rest.index != nil || cap(s.rest.list) > 4*fewAttachments {
		t.Errorf("2 connections keep room for %d, map %t", cap(s.rest.list), s.rest.index != nil)
	}
}
