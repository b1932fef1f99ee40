package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var presenceStormScenario = Scenario{
	Name:    "presence-storm",
	Summary: "Users that join and leave a large presence channel at fixed times, and whether all servers agree on it afterwards",
	Defaults: defaults(func(o *Options) {
		o.Connections, o.Churners, o.Rate = 1000, 100, 50
	}),
	Flags: []string{"connections", "churners", "rate", "known", "settle", "connecting"},
	setup: func(o *Options) string {
		who := "new users"
		if o.Known {
			who = "users who are members already"
		}
		return fmt.Sprintf("1 presence channel × %d members, %g joins and as many leaves a second of %s, %d at a time", o.Connections, o.Rate, who, o.Churners)
	},
	connections: func(o *Options) int { return o.Connections + o.Churners + len(o.URLs) },
	check: func(o *Options) error {
		switch {
		case o.Connections == 0 || o.Churners == 0 || o.Rate == 0:
			return errors.New("--connections, --churners and --rate must be at least 1")
		case o.Connections < len(o.URLs):
			return errors.New("--connections must be at least as many as there are servers")
		}
		return nil
	},
	run: runPresenceStorm,
}

// presenceStorm lets churners in turns leave and join again at fixed times: under a
// new user id, of which every standing member is told, or as a standing member of
// another server, of which nobody is. The clients are the standing members, the
// churners, and a visitor for each server.
type presenceStorm struct {
	fleet    *fleet
	standing int
	churners int
	known    bool

	// touched only inside the engine
	find           stampFinder
	stays          []stay  // of each churner
	added, removed []tally // of each standing member
	join, told     latency
	since, until   int64
	counts         counts
	announcements  uint64 // of anybody, to standing members
	joins          uint64
	unjoined       uint64 // due while the churner whose turn it was had no answer yet
	turn           int    // of the churners
	leave          []byte // frame
	stopped        bool
	views          []membersSeen // of each visitor, in the order in which they come
}

// stay is a churner's membership.
type stay struct {
	began     int64
	asked     bool // to join, and has not left
	succeeded bool
}

// membersSeen is what a server says who is on the channel.
type membersSeen struct {
	server  int
	members int
	missing int // standing members that are not among them
	more    int // that should not be there
}

func newPresenceStorm(o *Options) *presenceStorm {
	return &presenceStorm{
		standing: o.Connections, churners: o.Churners, known: o.Known,
		stays: make([]stay, o.Churners),
		added: make([]tally, o.Connections), removed: make([]tally, o.Connections),
		join: newLatency(), told: newLatency(),
		leave: appendFrame(nil, opText, unsubscribeMessage(presenceChannel)),
	}
}

func standingUser(i int) string { return "standing-" + strconv.Itoa(i) }

func (h *presenceStorm) clients(servers int) []*client {
	all := make([]*client, h.standing+h.churners+servers)
	for i := range all {
		all[i] = &client{}
		if i < h.standing {
			all[i].userID = standingUser(i)
			all[i].channels = []protocol.ChannelName{presenceChannel}
		}
	}
	return all
}

// next makes the churner whose turn it is leave, if it is there, and join.
func (h *presenceStorm) next(due int64) {
	churner := h.turn
	s := &h.stays[churner]
	if h.stopped {
		return
	}
	h.turn = (h.turn + 1) % h.churners
	if s.asked && !s.succeeded {
		h.unjoined++
		return
	}
	h.goAway(churner)
	c := h.fleet.clients[h.standing+churner]
	*s = stay{began: due, asked: true}
	user := h.knownUser(c)
	if !h.known {
		user = string(appendStamp([]byte(stampMark+"-"), due, h.joins))
	}
	h.joins++
	h.fleet.writeText(c, subscribeMessage(h.fleet.pair, c.socketID, presenceChannel, user))
}

// knownUser returns a member whose connection is to another server than c, if there
// are several; standing members are on the servers in turns.
func (h *presenceStorm) knownUser(c *client) string {
	i := int(h.joins % uint64(h.standing))
	if h.fleet.clients[i].target == c.target {
		i = (i + 1) % h.standing
	}
	return standingUser(i)
}

func (h *presenceStorm) goAway(churner int) {
	if h.stays[churner].asked {
		h.stays[churner].asked = false
		h.fleet.write(h.fleet.clients[h.standing+churner], h.leave)
	}
}

// stop makes all churners leave once they have joined.
func (h *presenceStorm) stop() {
	h.stopped = true
	for i := range h.stays {
		if h.stays[i].succeeded {
			h.goAway(i)
		}
	}
}

func (h *presenceStorm) event(*client, []byte, int64) { h.counts.foreign++ }

func (h *presenceStorm) control(c *client, name, msg []byte, at int64) {
	switch string(name) {
	case protocol.EventSubscriptionSucceeded:
		h.succeeded(c, msg, at)
	case protocol.EventMemberAdded, protocol.EventMemberRemoved:
		if c.index < h.standing {
			h.announcements++
			h.announced(c, string(name) == protocol.EventMemberAdded, msg, at)
		}
	}
}

func (h *presenceStorm) succeeded(c *client, msg []byte, at int64) {
	churner := c.index - h.standing
	if churner >= h.churners {
		h.views = append(h.views, h.look(c, msg))
		return
	}
	s := &h.stays[churner]
	if s.succeeded || !s.asked {
		h.counts.foreign++
		return
	}
	s.succeeded = true
	h.counts.deliveries++
	if s.began >= h.since && s.began < h.until {
		h.join.add(at - s.began)
	}
	if h.stopped {
		h.goAway(churner)
	}
}

// announced accounts for what a standing member is told.
func (h *presenceStorm) announced(c *client, added bool, msg []byte, at int64) {
	sent, number, ok := h.find.find(msg)
	switch {
	case !ok:
		return // one of the standing members, while they arrive
	case h.known || number >= h.joins:
		h.counts.foreign++
		return
	}
	seen := h.removed
	if added {
		seen = h.added
	}
	if !seen[c.index].mark(number) {
		h.counts.duplicates++
		return
	}
	h.counts.deliveries++
	if added && sent >= h.since && sent < h.until {
		h.told.add(at - sent)
	}
}

// expected is every join, and each standing member told of it and of its end.
func (h *presenceStorm) expected() uint64 {
	if h.known {
		return h.joins
	}
	return h.joins * uint64(2*h.standing+1)
}

// look compares what a visitor is told with who stands on the channel.
func (h *presenceStorm) look(c *client, msg []byte) membersSeen {
	seen := membersSeen{server: c.target.number, missing: h.standing}
	var data struct {
		Presence struct {
			IDs []string `json:"ids"`
		} `json:"presence"`
	}
	if stringData(msg, &data) != nil {
		return seen
	}
	seen.members = len(data.Presence.IDs)
	there := make(map[string]bool, h.standing)
	for i := range h.standing {
		there[standingUser(i)] = true
	}
	for _, id := range data.Presence.IDs {
		if there[id] {
			delete(there, id)
		} else {
			seen.more++
		}
	}
	seen.missing = len(there)
	return seen
}

// visit makes a connection to each server subscribe, as a standing member of the
// same server: that is nothing new to anybody.
func (h *presenceStorm) visit() {
	for i, c := range h.fleet.clients[h.standing+h.churners:] {
		h.fleet.writeText(c, subscribeMessage(h.fleet.pair, c.socketID, presenceChannel, standingUser(i)))
	}
}

func runPresenceStorm(ctx context.Context, r *run) error {
	h := newPresenceStorm(r.o)
	f := newFleet(r.o, r.targets, h.clients(len(r.targets)), h, nil)
	h.fleet = f
	h.visitEach(r.targets)
	defer f.close()
	if err := r.assemble(ctx, f, &h.announcements); err != nil {
		return err
	}
	stop := pacing(ctx, r.o.Rate, func(due int64) { f.engine.do(func() { h.next(due) }) })
	var joins [2]uint64
	look := func() counts { joins[0], joins[1] = joins[1], h.joins; return h.counts }
	w, err := r.measure(ctx, f, look, func(at int64) { h.since, h.until = at, at+int64(r.o.Duration) })
	stop()
	if err != nil {
		return err
	}
	f.engine.do(h.stop)
	if err := r.drain(ctx, f, func() bool { return h.counts.deliveries >= h.expected() }); err != nil {
		return err
	}
	f.engine.do(h.visit)
	if err := r.drain(ctx, f, func() bool { return len(h.views) == len(r.targets) }); err != nil {
		return err
	}
	f.engine.do(func() {
		r.presenceStormFigures(h, w, float64(joins[1]-joins[0]))
		r.result.Accounting.Unsent = h.unjoined
		r.account(f, h.counts, h.joins, h.expected())
	})
	return nil
}

// visitEach gives each server a visitor.
func (h *presenceStorm) visitEach(targets []*target) {
	for i, c := range h.fleet.clients[h.standing+h.churners:] {
		c.target = targets[i]
	}
}

// assemble opens all connections before it subscribes the standing members, which
// tells what a member takes besides its connection: on all servers together, each
// of which knows all of them. It returns when the members have been told of one another,
// which takes longer than joining: announcements have not become more for a while.
func (r *run) assemble(ctx context.Context, f *fleet, announcements *uint64) error {
	f.phase = connectOnly
	if err := f.open(ctx, r.o); err != nil {
		return err
	}
	if _, err := r.settle(ctx, f); err != nil {
		return err
	}
	before, err := r.sample(f, nil)
	if err != nil {
		return err
	}
	if err := f.subscribeAll(ctx); err != nil {
		return err
	}
	whole, err := r.sample(f, nil)
	if err != nil {
		return err
	}
	if err := r.hush(ctx, f, announcements); err != nil {
		return err
	}
	if _, err := r.settle(ctx, f); err != nil {
		return err
	}
	after, err := r.sample(f, nil)
	if err != nil {
		return err
	}
	members := float64(r.o.Connections)
	r.result.add("members that joined per second at first", "1/s", members/(float64(whole.at-before.at)/1e9), Higher)
	if len(r.o.PIDs) > 0 {
		grown := float64(after.server.rss) - float64(before.server.rss)
		r.result.add("server RSS per member, besides its connection", "KiB", grown/1024/members, Lower)
	}
	return nil
}

// presenceStormFigures is called inside the engine.
func (r *run) presenceStormFigures(h *presenceStorm, w window, joins float64) {
	res := r.result
	res.add("joins per second", "1/s", joins/w.seconds(), Higher)
	res.add(figureDeliveries, "1/s", float64(w.deliveries())/w.seconds(), Higher)
	if len(r.o.PIDs) > 0 && joins > 0 {
		res.add("server CPU per join and leave", "ms", w.cpu().Seconds()*1000/joins, Lower)
		res.add("server CPU", "cores", w.cpu().Seconds()/w.seconds(), "")
		res.add("server RSS", "MiB", float64(w.to.server.rss)/(1<<20), Lower)
		r.each(w, joins/1e3, "thousand joins")
	}
	r.generator(w)
	res.Figures = append(res.Figures, h.join.figures("join")...)
	res.Figures = append(res.Figures, h.told.figures("member_added")...)
	divergent := len(r.targets) - len(h.views)
	for _, seen := range h.views {
		if seen.missing+seen.more > 0 {
			divergent++
			res.warn("server %d tells of %d members: %d are missing and %d should not be there", seen.server+1, seen.members, seen.missing, seen.more)
		}
	}
	if silent := len(r.targets) - len(h.views); silent > 0 {
		res.warn("%d servers did not tell who is on the channel", silent)
	}
	res.add("servers that see other members", "", float64(divergent), Lower)
}
