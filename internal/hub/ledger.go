package hub

import (
	"slices"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// ledger is which nodes the members of a roll are on.
type ledger struct {
	shares [][]memberShare // in step with roll.order; of a member in no particular order, never empty

	// texts are of members that have another info than when they came, because an
	// earlier share was heard of later, or has ended. They are few: nil for none.
	texts map[*member]*protocol.MemberText
}

// memberShare is one node's part of a member.
type memberShare struct {
	since Stamp
	text  *protocol.MemberText // as that node has it; nil: like the member's first one
	node  Node                 // here for this one
}

// move takes what belongs to a member from one position to one before it.
func (l *ledger) move(from uint32, to int) {
	if l != nil {
		l.shares[to] = l.shares[from]
	}
}

// cut leaves the first n positions, in memory for room of them.
func (l *ledger) cut(n, room int) {
	if l == nil {
		return
	}
	shares := make([][]memberShare, n, room)
	copy(shares, l.shares)
	l.shares = shares
}

// shared returns the roll of a channel that other nodes may have members of.
func (m *members) shared() *roll {
	if m.roll == nil {
		m.roll = &roll{ledger: &ledger{}}
	}
	return m.roll
}

// enterShared is enter where there are other nodes. The user's first connection here,
// for which came is true, is this node's share: since now, or as long as the
// user has been there on others, whose info it takes.
func (m *members) enterShared(who protocol.MemberText, now *clock) (entry *member, arrived, came bool) {
	r := m.shared()
	entry, arrived = m.enter(who)
	if entry.connections > 1 {
		return entry, false, false
	}
	shares := &r.ledger.shares[entry.position]
	share := memberShare{node: here}
	if arrived {
		share.since = now.next()
	} else {
		first := earliest(*shares)
		share.since, share.text = first.since, first.text
	}
	*shares = append(*shares, share)
	return entry, arrived, true
}

// exitShared is exit where there are other nodes; went is true for the user's last
// connection here.
func (m *members) exitShared(entry *member) (gone, went bool) {
	if entry.connections--; entry.connections > 0 {
		return false, false
	}
	gone, _ = m.withdraw(entry, here)
	return gone, true
}

// admit takes over another node's share of a user. With adopted, this node's own
// share has changed by it.
func (m *members) admit(who protocol.MemberText, since Stamp, n Node) (entry *member, arrived, adopted bool) {
	r := m.shared()
	if entry = r.find(who.UserID()); entry == nil {
		entry = &member{MemberText: who}
		r.add(entry)
		arrived = true
	}
	share := memberShare{since: since, node: n}
	if entry.MemberText != who {
		share.text = &who
	}
	shares := &r.ledger.shares[entry.position]
	if i := shareOf(*shares, n); i >= 0 {
		(*shares)[i] = share
	} else {
		*shares = append(*shares, share)
	}
	return entry, arrived, r.settle(entry)
}

// withdraw ends a node's share of a member. It is gone with the last one.
func (m *members) withdraw(entry *member, n Node) (gone, adopted bool) {
	r := m.roll
	shares := &r.ledger.shares[entry.position]
	i := shareOf(*shares, n)
	if i < 0 {
		return false, false
	}
	*shares = slices.Delete(*shares, i, i+1)
	if len(*shares) > 0 {
		return false, r.settle(entry)
	}
	r.remove(entry)
	if r.count == 0 {
		m.roll = nil
	}
	return true, false
}

// settle gives the member the info of its earliest share. This node's own share
// adopts it: it will outlive the other. It is true if that is a change.
func (r *roll) settle(entry *member) (adopted bool) {
	shares := r.ledger.shares[entry.position]
	first := *earliest(shares)
	before := r.textOf(entry)
	r.ledger.setText(entry, first.text)
	if now := r.textOf(entry); now != before {
		r.size += now.Size() - before.Size()
		r.listed = nil
	}
	own := shareOf(shares, here)
	if own < 0 || shares[own].since == first.since {
		return false
	}
	shares[own].since, shares[own].text = first.since, first.text
	return true
}

// textOf returns the member as it stands in a snapshot.
func (r *roll) textOf(entry *member) protocol.MemberText {
	if r.ledger == nil || r.ledger.texts == nil {
		return entry.MemberText
	}
	return r.ledger.textOf(entry)
}

func (l *ledger) textOf(entry *member) protocol.MemberText {
	if text := l.texts[entry]; text != nil {
		return *text
	}
	return entry.MemberText
}

// setText notes that the member has another text than its first one; nil: it has
// that.
func (l *ledger) setText(entry *member, text *protocol.MemberText) {
	if text == nil {
		delete(l.texts, entry)
		if len(l.texts) == 0 {
			l.texts = nil
		}
		return
	}
	if l.texts == nil {
		l.texts = make(map[*member]*protocol.MemberText)
	}
	l.texts[entry] = text
}

// share returns this node's share of a user: since when, and with which info.
func (m *members) share(userID string) (since Stamp, info string, present bool) {
	entry := m.find(userID)
	if entry == nil || entry.connections == 0 {
		return Stamp{}, "", false
	}
	shares := m.roll.ledger.shares[entry.position]
	return shares[shareOf(shares, here)].since, m.roll.textOf(entry).Info(), true
}

// idsOn returns the users that a node has a share of.
func (m *members) idsOn(n Node) []string {
	if m.roll == nil {
		return nil
	}
	var ids []string
	for i, entry := range m.roll.order {
		if entry != nil && shareOf(m.roll.ledger.shares[i], n) >= 0 {
			ids = append(ids, entry.UserID())
		}
	}
	return ids
}

func shareOf(shares []memberShare, n Node) int {
	return slices.IndexFunc(shares, func(s memberShare) bool { return s.node == n })
}

func earliest(shares []memberShare) *memberShare {
	first := &shares[0]
	for i := range shares {
		if s := &shares[i]; s.since.Before(first.since) {
			first = s
		}
	}
	return first
}
