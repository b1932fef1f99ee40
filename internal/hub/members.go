package hub

import "github.com/pipesocket/pipesocketd/internal/protocol"

// member is one user on one presence channel, whatever the number of its
// connections, on whatever node. Its info is that of the first of them while the user
// stays. The text is immutable: it is read without the lock.
type member struct {
	protocol.MemberText
	connections uint32 // to this node
	position    uint32 // in roll.order
}

// members are the users of a presence channel, in order of arrival. The zero
// value is empty, and all that other channels and empty ones have.
type members struct{ roll *roll }

// fewMembers is up to how many members are searched one by one. That takes up to
// a microsecond, a tenth of what the newcomer's list of them takes; a map
// would take some 40 bytes a member.
const fewMembers = 128

// fewGaps is up to how many gaps the order may have in any case.
const fewGaps = 8

// roll is where the members stand. Joining and leaving take the same time
// however many there are, but for the frame that lists them.
type roll struct {
	order  []*member          // nil where one has left
	byID   map[string]*member // nil while there are few
	count  int
	peak   int     // the most that byID had since it was made
	size   int     // of the members in a snapshot
	ledger *ledger // nil on a single node

	listed *listed // nil: nobody has been sent the members as they are now, or they are few
}

// listed is the frame that lists the members, kept from the second newcomer on who gets the
// same one, as when users come back whose other connections have stayed: with 10,000
// members it takes 0.3 ms to make. Where every newcomer is another user it takes no memory.
type listed struct{ frame protocol.Wire }

// count returns the number of users.
func (m *members) count() int {
	if m.roll == nil {
		return 0
	}
	return m.roll.count
}

// full reports whether who would be a new user over the limit. It is false
// where there are no members, as on channels other than presence channels.
func (m *members) full(who protocol.MemberText, limit int) bool {
	return m.roll != nil && m.roll.count >= limit && m.roll.find(who.UserID()) == nil
}

// enter counts a connection of the user; arrived is true for its first.
func (m *members) enter(who protocol.MemberText) (entry *member, arrived bool) {
	if m.roll == nil {
		m.roll = &roll{}
	}
	entry = m.roll.find(who.UserID())
	if entry == nil {
		entry = &member{MemberText: who}
		m.roll.add(entry)
		arrived = true
	}
	entry.connections++
	return entry, arrived
}

// exit counts a connection off; it is true for the user's last.
func (m *members) exit(entry *member) (gone bool) {
	if entry.connections--; entry.connections > 0 {
		return false
	}
	m.roll.remove(entry)
	if m.roll.count == 0 {
		m.roll = nil
	}
	return true
}

// onlyHere reports whether the user has one connection, and no other node a share of it.
func (m *members) onlyHere(entry *member) bool {
	l := m.roll.ledger
	return entry.connections == 1 && (l == nil || len(l.shares[entry.position]) == 1)
}

// find returns a user, nil if there is no such member.
func (m *members) find(userID string) *member {
	if m.roll == nil {
		return nil
	}
	return m.roll.find(userID)
}

// snapshot returns the success frame for somebody who has joined the channel.
func (m *members) snapshot(channel protocol.ChannelName) protocol.Wire {
	r := m.roll
	if r == nil {
		r = &roll{}
	}
	if r.listed != nil && r.listed.frame != nil {
		return r.listed.frame
	}
	frame := protocol.PresenceSnapshot(channel, r.count, r.size, len(r.order), r.at)
	switch {
	case r.listed != nil:
		r.listed.frame = frame
	case r.count > fewMembers:
		r.listed = &listed{}
	}
	return frame
}

// ids returns the users' ids in order of arrival.
func (m *members) ids() []string {
	ids := make([]string, 0, m.count())
	if m.roll == nil {
		return ids
	}
	for _, entry := range m.roll.order {
		if entry != nil {
			ids = append(ids, entry.UserID())
		}
	}
	return ids
}

// at returns who stands at a position, nobody at a gap.
func (r *roll) at(position int) protocol.MemberText {
	if entry := r.order[position]; entry != nil {
		return r.textOf(entry)
	}
	return protocol.MemberText{}
}

func (r *roll) find(userID string) *member {
	if r.byID != nil {
		return r.byID[userID]
	}
	for _, entry := range r.order {
		if entry != nil && entry.UserID() == userID {
			return entry
		}
	}
	return nil
}

func (r *roll) add(entry *member) {
	entry.position = uint32(len(r.order))
	r.order = append(r.order, entry)
	if r.ledger != nil {
		r.ledger.shares = append(r.ledger.shares, nil)
	}
	r.count++
	r.size += entry.Size()
	r.listed = nil
	switch {
	case r.byID != nil:
		r.byID[entry.UserID()] = entry
		r.peak = max(r.peak, r.count)
	case r.count > fewMembers:
		r.index()
	}
}

func (r *roll) remove(entry *member) {
	delete(r.byID, entry.UserID())
	r.order[entry.position] = nil
	r.count--
	r.listed = nil
	r.size -= r.textOf(entry).Size()
	last := len(r.order)
	for last > 0 && r.order[last-1] == nil { // who came last often leaves first
		last--
	}
	r.order = r.order[:last]
	if r.ledger != nil {
		r.ledger.setText(entry, nil)
		r.ledger.shares[entry.position] = nil
		r.ledger.shares = r.ledger.shares[:last]
	}
	if n := max(r.count, fewGaps); len(r.order) > 2*n || cap(r.order) > 8*n {
		r.close()
	}
}

// close closes the gaps in the order once half of it is gaps, which comes to a
// constant time per leave, and gives back what has become far too large.
func (r *roll) close() {
	order := make([]*member, 0, r.count+r.count/4+1)
	for _, entry := range r.order {
		if entry != nil {
			r.ledger.move(entry.position, len(order))
			entry.position = uint32(len(order))
			order = append(order, entry)
		}
	}
	r.order = order
	r.ledger.cut(len(order), cap(order))
	switch {
	case r.count <= fewMembers:
		r.byID = nil
	case r.peak > 4*r.count: // maps do not shrink
		r.index()
	}
}

func (r *roll) index() {
	r.byID, r.peak = make(map[string]*member, r.count), r.count
	for _, entry := range r.order {
		if entry != nil {
			r.byID[entry.UserID()] = entry
		}
	}
}
