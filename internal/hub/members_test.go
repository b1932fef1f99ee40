package hub

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// The members agree with a plain list of users, whatever their number was before.
func TestMembersAgreeWithModel(t *testing.T) {
	for _, most := range []int{1, 3, 20, fewMembers + 1, 5 * fewMembers} {
		t.Run(fmt.Sprint("up to ", most), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(most), 2))
			var m members
			var order []*member // as they ought to be
			for round := range 40 * most {
				growing := round/(4*most)%2 == 0
				switch {
				case len(order) == 0 || len(order) < most && growing == (r.IntN(4) > 0):
					order = enterNew(t, &m, order, fmt.Sprint(round))
				case r.IntN(3) == 0: // one more connection, and off again
					entry := order[r.IntN(len(order))]
					again, arrived := m.enter(protocol.NewMemberText(entry.UserID(), "7"))
					if again != entry || arrived || m.exit(entry) {
						t.Fatalf("a second connection of %s arrived or was the last", entry.UserID())
					}
				default:
					i := r.IntN(len(order))
					if !m.exit(order[i]) {
						t.Fatalf("%s was not the last", order[i].UserID())
					}
					order = slices.Delete(order, i, i+1)
				}
				if most < fewMembers || round%10 == 0 {
					checkMembers(t, &m, order)
				}
			}
		})
	}
}

func enterNew(t *testing.T, m *members, order []*member, id string) []*member {
	t.Helper()
	who := protocol.NewMemberText(id, "")
	if n := len(order); n > 0 && !m.full(who, n) || m.full(who, n+1) {
		t.Fatalf("%d members are not full at that limit, or at one more", n)
	}
	entry, arrived := m.enter(who)
	if !arrived || !m.full(protocol.NewMemberText("other", ""), 1) || m.full(who, 1) {
		t.Fatalf("%s did not arrive, or a full channel refuses who is there", id)
	}
	return append(order, entry)
}

func checkMembers(t *testing.T, m *members, order []*member) {
	t.Helper()
	ids := m.ids()
	if m.count() != len(order) || len(ids) != len(order) {
		t.Fatalf("%d members, %d ids, want %d", m.count(), len(ids), len(order))
	}
	for i, entry := range order {
		if ids[i] != entry.UserID() {
			t.Fatalf("the members are %v, want %s at %d", ids, entry.UserID(), i)
		}
	}
	if (m.roll == nil) != (len(order) == 0) {
		t.Fatalf("%d members keep the roll %v", len(order), m.roll)
	}
}

// A channel that was large once is as small as any other afterwards.
func TestMembersGiveMemoryBack(t *testing.T) {
	for _, lastFirst := range []bool{false, true} {
		var m members
		var all []*member
		for i := range 50 * fewMembers {
			entry, _ := m.enter(benchText(i))
			all = append(all, entry)
		}
		if lastFirst {
			slices.Reverse(all)
		}
		for _, entry := range all[:len(all)-2] {
			m.exit(entry)
		}
		if r := m.roll; cap(r.order) > 8*fewGaps || r.byID != nil {
			t.Errorf("last first %t: 2 members keep room for %d, map %t", lastFirst, cap(r.order), r.byID != nil)
		}
	}
}

func TestSnapshotAfterLeaves(t *testing.T) {
	var m members
	var all []*member
	for _, id := range []string{"a", `b"`, "ü", "d"} {
		entry, _ := m.enter(protocol.NewMemberText(id, `{"n":"`+"x"+`"}`))
		all = append(all, entry)
	}
	m.exit(all[0])
	m.exit(all[2])
	want := `{"presence":{"count":2,"ids":["b\"","d"],"hash":{"b\"":{"n":"x"},"d":{"n":"x"}}}}`
	if got := testkit.Frames(t, m.snapshot("presence-a"))[0].Data; got != want || !json.Valid([]byte(got)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Newcomers get the same frame while nobody comes or goes, and never an old one.
func TestAListThatIsSentAgainIsMadeOnce(t *testing.T) {
	var m members
	var now clock
	all := make([]*member, 0, 2*fewMembers)
	for i := range 2 * fewMembers {
		entry, _, _ := m.enterShared(benchText(i), &now)
		all = append(all, entry)
	}
	listing := func(what string, want int, info string) {
		t.Helper()
		var data struct{ Presence struct{ Hash map[string]any } }
		for range 3 {
			if err := json.Unmarshal([]byte(testkit.Frames(t, m.snapshot("presence-a"))[0].Data), &data); err != nil {
				t.Fatal(err)
			}
			if hash := data.Presence.Hash; len(hash) != want || fmt.Sprint(hash[all[1].UserID()]) != info {
				t.Errorf("%s: %d members, want %d, with the info %v, want %v", what, len(hash), want, hash[all[1].UserID()], info)
			}
			clear(data.Presence.Hash)
		}
		if allocs := testing.AllocsPerRun(10, func() { m.snapshot("presence-a") }); allocs > 0 {
			t.Errorf("%s: a list that has not changed costs %v allocations", what, allocs)
		}
	}
	const known = "map[avatar:https://cdn.example.com/a/123.png name:Ann Example]"
	listing("many", 2*fewMembers, known)
	m.exit(all[0])
	listing("one less", 2*fewMembers-1, known)
	m.enterShared(benchText(0), &now)
	listing("one more", 2*fewMembers, known)
	m.admit(protocol.NewMemberText(all[1].UserID(), "7"), Stamp{}, 1)
	listing("another info", 2*fewMembers, "7")
	m.withdraw(all[1], here)
	m.withdraw(all[1], 1)
	listing("without that", 2*fewMembers-1, "<nil>")
}
