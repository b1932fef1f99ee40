package cluster

import (
	"testing"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// P-235: a cache miss does not come before the occupation of its channel.
func TestANoticeWaitsUntilTheEdgesBeforeItAreTold(t *testing.T) {
	g := newGate()
	miss := hub.Notice{Name: hub.CacheMissed}
	want(t, "nothing waits", g.follow(miss), false)

	occupied := telling{notice: hub.Notice{Name: hub.ChannelOccupied}, step: 1}
	g.add(occupied)
	want(t, "while it waits", g.follow(miss), true)
	g.depart()
	want(t, "while it flies", g.follow(miss), true)
	sure := g.land(true)
	want(t, "told", len(sure), 2)
	want(t, "while it is told", g.follow(miss), true)
	g.landed()
	want(t, "what waits behind those", g.follow(miss), true)

	g.depart()
	g.land(true)
	g.landed()
	want(t, "when all is told", g.follow(miss), false)
}

func TestWhatOthersMayNotKnowIsToldBeforeTheRest(t *testing.T) {
	g := newGate()
	names := func(ts []telling) (names []string) {
		for _, x := range ts {
			names = append(names, string(x.notice.Name))
		}
		return names
	}
	g.add(telling{notice: hub.Notice{Name: hub.ChannelOccupied}, step: 1})
	g.depart()
	wantList(t, "nobody knows", names(g.land(false)))
	g.landed()
	g.add(telling{notice: hub.Notice{Name: hub.ChannelVacated}, step: 2})
	g.retry()
	want(t, "departs", g.depart(), true)
	wantList(t, "told", names(g.land(true)), string(hub.ChannelOccupied), string(hub.ChannelVacated))
	g.landed()

	g.add(telling{notice: hub.Notice{Name: hub.MemberAdded}, step: 1})
	wantList(t, "at the end", names(g.close()), string(hub.MemberAdded))
	want(t, "after it", g.add(telling{}), false)
}
