package broker

import (
	"encoding/binary"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// State is a change of what its origin has told: absolute values of shares and of
// told edges.
type State struct {
	Seq    uint64 // from 1, rising by one
	Closed uint64 // see [Beat]; 0: see the one before
	Shares []hub.Share
	Told   []Told

	Ignored int // read, but not understood: of a newer release, or malformed
}

// Told is what webhooks were told of an edge: a register, of which the greatest
// Turn wins, and of the same the latest Stamp.
type Told struct {
	hub.Edge
	Turn   uint64 // rises by one each time webhooks are told: odd while the edge is on
	Doubt  bool   // nodes that were out of touch have told different things
	Open   uint64 // so many turns were about to be told when this was written
	Stamp  hub.Stamp
	After  hub.Stamp // of the register that this one has replaced where it was written
	Teller hub.Stamp // that of the node that has told: another one keeps the register when that is gone
}

// On reports whether webhooks were told last that the edge is on.
func (t *Told) On() bool { return t.Turn%2 == 1 }

// Append appends the message.
func (s *State) Append(b []byte, origin NodeID) []byte {
	b, start := beginGroup(appendHeader(b, KindState, origin))
	b = binary.AppendUvarint(b, s.Seq)
	b = binary.AppendUvarint(b, s.Closed)
	b = endGroup(b, start)
	return s.appendLists(b)
}

func (s *State) appendLists(b []byte) []byte {
	b, start := beginGroup(b)
	for i := range s.Shares {
		b = appendShare(b, &s.Shares[i])
	}
	b = endGroup(b, start)
	b, start = beginGroup(b)
	for i := range s.Told {
		b = appendTold(b, &s.Told[i])
	}
	return endGroup(b, start)
}

// ReadState reads the body of a change.
func ReadState(body Body) (State, error) {
	all := fields{rest: body}
	head := all.group()
	s := State{Seq: head.number(), Closed: head.number()}
	err := s.readLists(&all)
	if head.malformed || s.Seq == 0 {
		err = ErrMalformed
	}
	return s, err
}

func (s *State) readLists(all *fields) error {
	shares, told := all.group(), all.group()
	for shares.more() {
		if share, ok := readShare(shares.entry()); ok {
			s.Shares = append(s.Shares, share)
		} else {
			s.Ignored++
		}
	}
	for told.more() {
		if t, ok := readTold(told.entry()); ok {
			s.Told = append(s.Told, t)
		} else {
			s.Ignored++
		}
	}
	return check(all, &shares, &told)
}

// Snapshot is a part of all that its origin has to tell, for one node that has
// asked for it.
type Snapshot struct {
	State   // Seq: of the last change before the first part
	Request uint64
	Part    uint64 // from 0, rising by one
	End     bool
	Fills   []hub.Relayed // fresh contents of cache channels; Frame is empty
}

const snapshotEnd = 1

// Append appends the message.
func (s *Snapshot) Append(b []byte, origin NodeID) []byte {
	b, start := beginGroup(appendHeader(b, KindSnapshot, origin))
	b = binary.AppendUvarint(b, s.Request)
	b = binary.AppendUvarint(b, s.Seq)
	b = binary.AppendUvarint(b, s.Part)
	b = binary.AppendUvarint(b, flag(s.End, snapshotEnd))
	b = endGroup(b, start)
	b = s.appendLists(b)
	b, start = beginGroup(b)
	for i := range s.Fills {
		b = appendCached(b, &s.Fills[i])
	}
	return endGroup(b, start)
}

// ReadSnapshot reads the body of a part. Data of fills are parts of the message.
func ReadSnapshot(body Body, names *Names) (Snapshot, error) {
	all := fields{rest: body}
	head := all.group()
	s := Snapshot{Request: head.number(), State: State{Seq: head.number()}}
	s.Part, s.End = head.number(), head.number()&snapshotEnd != 0
	if err := s.readLists(&all); err != nil {
		return s, err
	}
	fills := all.group()
	for fills.more() {
		if r, ok := readCached(fills.entry(), names); ok {
			s.Fills = append(s.Fills, r)
		} else {
			s.Ignored++
		}
	}
	return s, check(&all, &head, &fills)
}

func flag(set bool, bit uint64) uint64 {
	if set {
		return bit
	}
	return 0
}

const (
	shareMissed = 1 << iota
	sharePresent
)

func appendShare(b []byte, s *hub.Share) []byte {
	b, start := beginEntry(b)
	b = append(b, byte(s.Kind))
	b = appendBytes(b, s.App)
	b = appendBytes(b, s.Channel)
	b = appendBytes(b, s.UserID)
	if !s.Zero() {
		b = binary.AppendUvarint(b, flag(s.Missed, shareMissed)|flag(s.Present, sharePresent))
		b = binary.AppendUvarint(b, uint64(s.Connections))
		b = binary.AppendUvarint(b, uint64(s.Counted))
	}
	if s.Present {
		b = appendBytes(b, s.Info)
		b = appendStamp(b, s.Since)
	}
	return endEntry(b, start)
}

func readShare(entry []byte) (hub.Share, bool) {
	f := fields{rest: entry}
	s := hub.Share{ShareKey: hub.ShareKey{
		Kind: hub.ShareKind(f.number()), App: apps.ID(f.bytes()),
		Channel: protocol.ChannelName(f.bytes()), UserID: string(f.bytes()),
	}}
	flags := f.number()
	s.Missed, s.Present = flags&shareMissed != 0, flags&sharePresent != 0
	s.Connections, s.Counted = f.count(), f.count()
	s.Info, s.Since = string(f.bytes()), readStamp(&f)
	return s, !f.malformed && validKey(&s.ShareKey) && validInfo(s.Info)
}

func validKey(k *hub.ShareKey) bool {
	if k.App == "" || len(k.App) > maxApp {
		return false
	}
	switch k.Kind {
	case hub.ShareOfChannel:
		return validName(k.Channel)
	case hub.ShareOfMember:
		return validName(k.Channel) && k.UserID != ""
	case hub.ShareOfUser:
		return k.UserID != ""
	case hub.ShareOfApp:
		return true
	}
	return false
}

func validName(channel protocol.ChannelName) bool {
	_, ok := protocol.ParseChannelName(string(channel))
	return ok
}

// validInfo keeps text out of frames that no client could read.
func validInfo(info string) bool {
	if info == "" {
		return true
	}
	_, err := strictjson.Parse([]byte(info))
	return err == nil
}

const (
	toldMember = 1 << iota
	toldDoubt
)

func appendTold(b []byte, t *Told) []byte {
	b, start := beginEntry(b)
	b = appendEdge(b, t.Edge, flag(t.Doubt, toldDoubt))
	b = binary.AppendUvarint(b, t.Turn)
	b = binary.AppendUvarint(b, t.Open)
	b = appendStamp(b, t.Stamp)
	b = appendStamp(b, t.After)
	b = appendStamp(b, t.Teller)
	return endEntry(b, start)
}

func appendStamp(b []byte, s hub.Stamp) []byte {
	b = binary.AppendUvarint(b, s.Count)
	return binary.BigEndian.AppendUint64(b, s.Node)
}

func appendEdge(b []byte, e hub.Edge, flags uint64) []byte {
	b = binary.AppendUvarint(b, flag(e.Member, toldMember)|flags)
	b = appendBytes(b, e.App)
	b = appendBytes(b, e.Channel)
	return appendBytes(b, e.UserID)
}

func readTold(entry []byte) (Told, bool) {
	f := fields{rest: entry}
	e, flags := readEdge(&f)
	t := Told{Edge: e, Doubt: flags&toldDoubt != 0, Turn: f.number(), Open: f.number()}
	t.Stamp, t.After, t.Teller = readStamp(&f), readStamp(&f), readStamp(&f)
	return t, !f.malformed && validEdge(e)
}

func readEdge(f *fields) (e hub.Edge, flags uint64) {
	flags = f.number()
	return hub.Edge{
		Member: flags&toldMember != 0,
		App:    apps.ID(f.bytes()), Channel: protocol.ChannelName(f.bytes()), UserID: string(f.bytes()),
	}, flags
}

func validEdge(e hub.Edge) bool {
	return e.App != "" && len(e.App) <= maxApp && validName(e.Channel) && e.Member == (e.UserID != "")
}

func appendCached(b []byte, r *hub.Relayed) []byte {
	b, start := beginEntry(b)
	b = appendBytes(b, r.App)
	b = appendBytes(b, r.Channel)
	b = appendFill(b, r.Fill)
	return endEntry(b, start)
}

func readCached(entry []byte, names *Names) (hub.Relayed, bool) {
	f := fields{rest: entry}
	app, okApp := names.app(f.bytes())
	channel, okChannel := names.channel(f.bytes())
	r := hub.Relayed{App: app, Channel: channel, Fill: readFill(&f)}
	return r, !f.malformed && okApp && okChannel && validFill(r.Fill)
}
