package protocol_test

import (
	"encoding/json"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

var userInfo = rapid.SampledFrom([]string{
	"", "null", `{"b":1,"a":12345678901234567890}`, `"\u003c<"`, `[1.50]`, `{"a" : 1}`, `"ü\\\"\n"`,
})

// P-100: ids and the keys of hash are one set of strings, count is their number.
// P-101: hash values are the user_info as it came.
// P-102: a member without user_info has null, and hash is an object in any case.
func TestPresenceSnapshot(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.String(), 0, 20, rapid.ID[string]).Draw(rt, "ids")
		var members []protocol.MemberText
		want := map[string]string{}
		size := 0
		for _, id := range ids {
			info := userInfo.Draw(rt, "info")
			m := protocol.NewMemberText(id, info)
			if m.UserID() != id {
				rt.Fatalf("UserID of %q is %q", id, m.UserID())
			}
			if got := m.Info(); got != info && (got != "" || info != "null") {
				rt.Fatalf("Info of %q is %q", info, got)
			}
			members = append(members, m)
			size += m.Size()
			want[id] = info
			if info == "" {
				want[id] = "null"
			}
		}
		members = append(members, protocol.MemberText{}) // nobody
		at := func(i int) protocol.MemberText { return members[i] }
		f := testkit.Frames(t, protocol.PresenceSnapshot("presence-x", len(ids), size, len(members), at))[0]
		var data struct {
			Presence struct {
				Count int
				IDs   []string
				Hash  map[string]json.RawMessage
			}
		}
		if err := json.Unmarshal([]byte(f.Data), &data); err != nil {
			rt.Fatalf("%v: %s", err, f.Data)
		}
		p := data.Presence
		if f.Event != protocol.EventSubscriptionSucceeded || f.Channel != "presence-x" ||
			p.Count != len(ids) || !slices.Equal(p.IDs, ids) && len(ids) > 0 || p.Hash == nil || len(p.Hash) != len(ids) {
			rt.Fatalf("%s of members %q", f.Data, ids)
		}
		for id, info := range want {
			if string(p.Hash[id]) != info {
				rt.Fatalf("user_info of %q is %s, want %s", id, p.Hash[id], info)
			}
		}
	})
}

// P-109: the frames of a member are those that any other encoder of the same
// data would make.
func TestMemberFrames(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9"\\<ü]*`)).Draw(rt, "id")
		info := userInfo.Draw(rt, "info")
		m := protocol.NewMemberText(id, []byte(info))
		if info == "" {
			info = "null"
		}
		token := string(protocol.PayloadOfText(id))
		for _, frame := range []struct {
			name, data string
			got        protocol.Wire
		}{
			{protocol.EventMemberAdded, `{"user_id":` + token + `,"user_info":` + info + `}`, m.Added("presence-x")},
			{protocol.EventMemberRemoved, `{"user_id":` + token + `}`, m.Removed("presence-x")},
		} {
			want := protocol.Event{
				Name: frame.name, Channel: "presence-x", Data: protocol.PayloadOfText(frame.data),
			}.Encode()
			if string(frame.got) != string(want) {
				rt.Errorf("got %s, want %s", frame.got, want)
			}
		}
	})
}

// The frame goes to one connection and may be waiting for it for long.
func TestPresenceSnapshotIsMadeInOnePiece(t *testing.T) {
	var members []protocol.MemberText
	size := 0
	for _, id := range []string{"1", "żółw", `"`} {
		m := protocol.NewMemberText(id, `{"name":"Ann"}`)
		members = append(members, m)
		size += m.Size()
	}
	at := func(i int) protocol.MemberText { return members[i] }
	allocs := testing.AllocsPerRun(100, func() {
		protocol.PresenceSnapshot("presence-x", len(members), size, len(members), at)
	})
	if allocs != 1 {
		t.Errorf("%v allocations, want 1", allocs)
	}
}
