package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var presenceScenario = Scenario{
	Name:    "presence",
	Summary: "Users that join and leave a presence channel with a standing membership",
	Defaults: defaults(func(o *Options) {
		o.Connections, o.Churners = 50, 20
	}),
	Flags: []string{"connections", "churners"},
	setup: func(o *Options) string {
		return fmt.Sprintf("1 presence channel × %d members, %d users that join and leave", o.Connections, o.Churners)
	},
	connections: func(o *Options) int { return o.Connections + o.Churners },
	check: func(o *Options) error {
		switch {
		case o.Connections == 0 || o.Churners == 0:
			return errors.New("--connections and --churners must be at least 1")
		case o.Connections+o.Churners > maxCount:
			return errors.New("--connections and --churners are too many together")
		}
		return nil
	},
	run: runPresence,
}

const presenceChannel protocol.ChannelName = "presence-load"

// churn lets each churner join under a new user id, wait until it is told so
// and every standing member is too, leave, and wait until every standing member
// has seen that. The user id carries time and number of the join.
type churn struct {
	fleet    *fleet
	standing int
	churners int

	// touched only inside the engine
	find            stampFinder
	cycles          []cycle // of each churner
	added, removed  []tally // of each standing member
	join, announced latency
	since           int64
	counts          counts
	joins           uint64
	finished        uint64
	leave           []byte // frame
	stopped         bool
}

// cycle is one join and leave in progress.
type cycle struct {
	number         uint64
	began          int64
	succeeded      bool
	added, removed int // standing members that were told
}

func newChurn(o *Options) *churn {
	return &churn{
		standing: o.Connections, churners: o.Churners,
		cycles: make([]cycle, o.Churners),
		added:  make([]tally, o.Connections), removed: make([]tally, o.Connections),
		join: newLatency(), announced: newLatency(),
		leave: appendFrame(nil, opText, unsubscribeMessage(presenceChannel)),
	}
}

func (h *churn) clients() []*client {
	all := make([]*client, h.standing+h.churners)
	for i := range all {
		all[i] = &client{}
		if i < h.standing {
			all[i].userID = "standing-" + strconv.Itoa(i)
			all[i].channels = []protocol.ChannelName{presenceChannel}
		}
	}
	return all
}

// begin makes a churner join.
func (h *churn) begin(churner int) {
	if h.stopped {
		return
	}
	c := h.fleet.clients[h.standing+churner]
	h.cycles[churner] = cycle{number: h.joins, began: now()}
	user := string(appendStamp([]byte(stampMark+"-"), h.cycles[churner].began, h.joins))
	h.joins++
	h.fleet.writeText(c, subscribeMessage(h.fleet.pair, c.socketID, presenceChannel, user))
}

func (h *churn) event(*client, []byte, int64) { h.counts.foreign++ }

func (h *churn) control(c *client, name, msg []byte, at int64) {
	churner := c.index - h.standing
	switch string(name) {
	case protocol.EventSubscriptionSucceeded:
		if churner < 0 || h.cycles[churner].succeeded {
			h.counts.foreign++
			return
		}
		h.cycles[churner].succeeded = true
		h.counts.deliveries++
		if h.since > 0 {
			h.join.add(at - h.cycles[churner].began)
		}
		h.advance(churner)
	case protocol.EventMemberAdded, protocol.EventMemberRemoved:
		if churner < 0 {
			h.announce(c, string(name) == protocol.EventMemberAdded, msg, at)
		}
	}
}

// announce accounts for what a standing member is told.
func (h *churn) announce(c *client, added bool, msg []byte, at int64) {
	sent, number, ok := h.find.find(msg)
	if !ok {
		return // one of the standing members, while they arrive
	}
	churner, ok := h.churnerOf(number)
	if !ok {
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
	if added {
		h.cycles[churner].added++
		if h.since > 0 {
			h.announced.add(at - sent)
		}
	} else {
		h.cycles[churner].removed++
	}
	h.advance(churner)
}

// churnerOf finds whose cycle a join is; there are few churners.
func (h *churn) churnerOf(number uint64) (int, bool) {
	if number >= h.joins {
		return 0, false
	}
	for i := range h.cycles {
		if h.cycles[i].number == number {
			return i, true
		}
	}
	return 0, false
}

// advance leaves once everybody knows of the join, and begins anew once
// everybody knows of the leave.
func (h *churn) advance(churner int) {
	cy := &h.cycles[churner]
	switch {
	case cy.removed == h.standing:
		h.finished++
		h.begin(churner)
	case cy.removed == 0 && cy.succeeded && cy.added == h.standing:
		h.fleet.write(h.fleet.clients[h.standing+churner], h.leave)
	}
}

// expected is what finished cycles come to: the join, and each standing member
// told twice. Cycles are let finish at the end.
func (h *churn) expected() uint64 { return h.joins * uint64(2*h.standing+1) }

func runPresence(ctx context.Context, r *run) error {
	h := newChurn(r.o)
	f := newFleet(r.o, r.targets, h.clients(), h, nil)
	h.fleet = f
	defer f.close()
	if err := f.open(ctx, r.o); err != nil {
		return err
	}
	f.engine.post(func() {
		for i := range h.churners {
			h.begin(i)
		}
	})
	var before, after uint64
	w, err := r.measure(ctx, f, func() counts { after = h.finished; return h.counts }, func(at int64) {
		h.since, before = at, h.finished
	})
	if err != nil {
		return err
	}
	f.engine.do(func() { h.stopped = true })
	if err := r.drain(ctx, f, func() bool { return h.counts.deliveries >= h.expected() }); err != nil {
		return err
	}
	r.presenceFigures(h, w, float64(after-before))
	f.engine.do(func() { r.account(f, h.counts, h.joins, h.expected()) })
	return nil
}

func (r *run) presenceFigures(h *churn, w window, cycles float64) {
	res := r.result
	res.add("joins and leaves per second", "1/s", cycles/w.seconds(), Higher)
	if len(r.o.PIDs) > 0 && cycles > 0 {
		res.add("server CPU per join and leave", "ms", w.cpu().Seconds()*1000/cycles, Lower)
		res.add("of it user", "ms", w.user().Seconds()*1000/cycles, Lower)
		res.add("server CPU", "cores", w.cpu().Seconds()/w.seconds(), "")
	}
	r.generator(w)
	h.fleet.engine.do(func() {
		res.Figures = append(res.Figures, h.join.figures("join")...)
		res.Figures = append(res.Figures, h.announced.figures("member_added")...)
	})
}
