package broker

import (
	"encoding/binary"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// Place is where an event or a termination stands among those of its origin.
type Place struct {
	Lane   int
	Number uint64 // from 1, rising by one on each lane
	After  uint64 // the state of its origin that it has to come after; 0: any
}

// Event is an event on its way to other nodes.
type Event struct {
	Place
	hub.Relayed

	Predecessor Predecessor
}

// Predecessor is the event that one with Follows must not overtake, where their lanes
// may differ. It has the same origin and app.
type Predecessor struct {
	Number  uint64 // 0: none
	Lane    int
	Channel protocol.ChannelName
}

// maxLanes is more than any engine has.
const maxLanes = 1 << 14

const (
	eventFollows = 1 << iota
	eventFollowed
)

// Append appends the message. It does not allocate where b has room.
func (e *Event) Append(b []byte, origin NodeID) []byte {
	b, start := beginGroup(appendHeader(b, KindEvent, origin))
	b = e.appendTo(b)
	b = appendBytes(b, e.App)
	b = appendBytes(b, e.Channel)
	b = appendBytes(b, e.Except)
	b = binary.AppendUvarint(b, flag(e.Follows, eventFollows)|flag(e.Followed, eventFollowed))
	b = endGroup(b, start)
	b, start = beginGroup(b)
	b = append(b, e.Frame...)
	b = endGroup(b, start)
	if e.Fill == nil && e.Predecessor.Number == 0 {
		return b
	}
	b, start = beginGroup(b)
	if e.Fill != nil {
		b = appendFill(b, e.Fill)
	}
	b = endGroup(b, start)
	if e.Predecessor.Number == 0 {
		return b
	}
	b, start = beginGroup(b)
	b = e.Predecessor.appendTo(b)
	return endGroup(b, start)
}

func (p *Place) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(p.Lane))
	b = binary.AppendUvarint(b, p.Number)
	return binary.AppendUvarint(b, p.After)
}

func (p *Predecessor) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, p.Number)
	b = binary.AppendUvarint(b, uint64(p.Lane))
	return appendBytes(b, p.Channel)
}

func appendFill(b []byte, f *hub.CacheFill) []byte {
	b = binary.AppendUvarint(b, uint64(max(f.TTL, 0).Milliseconds()))
	b = binary.AppendUvarint(b, f.Stamp.Count)
	b = binary.BigEndian.AppendUint64(b, f.Stamp.Node)
	b = appendBytes(b, f.Event)
	return appendBytes(b, f.Data)
}

// ReadEvent reads the body of an event. What it returns is fit for the hub: the
// channel has a valid name, the frame is one whole text frame, or empty beside a fill. Frame and
// data are parts of the message.
func ReadEvent(body Body, names *Names) (Event, error) {
	all := fields{rest: body}
	head, frame, fill, follows := all.group(), all.group(), all.group(), all.group()
	e := Event{Place: readPlace(&head)}
	app, okApp := names.app(head.bytes())
	channel, okChannel := names.channel(head.bytes())
	e.App, e.Channel, e.Except = app, channel, protocol.SocketID(head.bytes())
	e.Frame = protocol.Wire(frame.rest)
	if fill.more() {
		e.Fill = readFill(&fill)
	}
	flags := head.number()
	e.Follows, e.Followed = flags&eventFollows != 0, flags&eventFollowed != 0
	if follows.more() {
		e.Predecessor.Number, e.Predecessor.Lane = follows.number(), follows.lane()
		e.Predecessor.Channel, _ = names.channel(follows.bytes())
	}
	if err := check(&all, &head, &fill, &follows); err != nil {
		return Event{}, err
	}
	if !okApp || !okChannel || !e.valid() {
		return Event{}, ErrMalformed
	}
	return e, nil
}

func readPlace(f *fields) Place {
	return Place{Lane: f.lane(), Number: f.number(), After: f.number()}
}

func (f *fields) lane() int {
	lane := f.number()
	if lane >= maxLanes {
		f.fail()
		return 0
	}
	return int(lane)
}

func readFill(f *fields) *hub.CacheFill {
	return &hub.CacheFill{
		TTL:   f.duration(),
		Stamp: readStamp(f),
		Event: string(f.bytes()),
		Data:  protocol.Payload(f.bytes()),
	}
}

func readStamp(f *fields) hub.Stamp { return hub.Stamp{Count: f.number(), Node: f.word()} }

// duration takes milliseconds.
func (f *fields) duration() time.Duration {
	const limit = 10 * 365 * 24 * time.Hour // an overflow would be an hour in the past
	return time.Duration(min(f.number(), uint64(limit.Milliseconds()))) * time.Millisecond
}

func (e *Event) valid() bool {
	if e.Number == 0 || e.Fill != nil && !validFill(e.Fill) {
		return false
	}
	if len(e.Frame) == 0 {
		return e.Fill != nil
	}
	return isTextFrame(e.Frame)
}

func validFill(f *hub.CacheFill) bool {
	_, err := strictjson.Parse(f.Data)
	return err == nil && f.Event != ""
}

// isTextFrame reports whether w is one text frame, complete and without mask.
func isTextFrame(w protocol.Wire) bool {
	const finalText = 0x81
	return w[0] == finalText && w.FrameLen() == len(w)
}

// Termination ends the connections of a user.
type Termination struct {
	Place
	App    apps.ID
	UserID string
}

// Append appends the message.
func (t *Termination) Append(b []byte, origin NodeID) []byte {
	b, start := beginGroup(appendHeader(b, KindTermination, origin))
	b = t.appendTo(b)
	b = appendBytes(b, t.App)
	b = appendBytes(b, t.UserID)
	return endGroup(b, start)
}

// ReadTermination reads the body of a termination.
func ReadTermination(body Body, names *Names) (Termination, error) {
	all := fields{rest: body}
	head := all.group()
	t := Termination{Place: readPlace(&head)}
	app, ok := names.app(head.bytes())
	t.App, t.UserID = app, string(head.bytes())
	if err := check(&all, &head); err != nil {
		return Termination{}, err
	}
	if !ok || t.Number == 0 || t.UserID == "" {
		return Termination{}, ErrMalformed
	}
	return t, nil
}

// PeekPlace reads the place of an event or a termination and nothing else.
func PeekPlace(body Body) (Place, error) {
	all := fields{rest: body}
	head := all.group()
	p := readPlace(&head)
	if err := check(&all, &head); err != nil {
		return Place{}, err
	}
	return p, nil
}
