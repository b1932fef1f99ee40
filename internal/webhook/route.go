package webhook

import (
	"errors"
	"net/url"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// routes are the endpoints of one app as its settings name them, ready for
// selecting (§8.3). They never change.
type routes struct{ to []route }

type route struct {
	names          noticeSet
	prefix, suffix string
	glob           *protocol.ChannelGlob // nil: any channel
	batching       bool
	lane           *lane
}

// selects reports whether the endpoint takes any of the named notices about the
// channel.
func (r *route) selects(names noticeSet, channel protocol.ChannelName) bool {
	return r.names&names != 0 &&
		strings.HasPrefix(string(channel), r.prefix) && strings.HasSuffix(string(channel), r.suffix) &&
		(r.glob == nil || r.glob.Matches(channel))
}

// want reports whether a notice matters to any endpoint. An edge matters also
// if only the opposite one is selected: it may cancel that.
func (r *routes) want(n hub.Notice) bool {
	names := withOpposite(n.Name)
	for i := range r.to {
		if r.to[i].selects(names, n.Channel) {
			return true
		}
	}
	return false
}

// noticeSet is a set of notice names, one bit each.
type noticeSet uint8

// setOf returns the set of one name; the set of an unknown name is empty.
func setOf(name hub.NoticeName) noticeSet {
	for i, known := range hub.NoticeNames {
		if known == name {
			return 1 << i
		}
	}
	return 0
}

func withOpposite(name hub.NoticeName) noticeSet {
	for _, pair := range edgePairs {
		if name == pair.rise || name == pair.fall {
			return setOf(pair.rise) | setOf(pair.fall)
		}
	}
	return setOf(name)
}

// edgePairs are the notices of things that go on and off.
var edgePairs = [...]struct{ rise, fall hub.NoticeName }{
	{hub.ChannelOccupied, hub.ChannelVacated},
	{hub.MemberAdded, hub.MemberRemoved},
}

func rises(name hub.NoticeName) bool { return name == edgePairs[0].rise || name == edgePairs[1].rise }

func falls(name hub.NoticeName) bool { return name == edgePairs[0].fall || name == edgePairs[1].fall }

// routesOf returns the routes by the app's current settings. They are worked
// out once per change of settings.
func (d *Dispatcher) routesOf(app *apps.App) *routes {
	app = d.current(app)
	if r, ok := d.routes.Load(app); ok {
		return r.(*routes)
	}
	return d.makeRoutes(app)
}

func (d *Dispatcher) makeRoutes(app *apps.App) *routes {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r, ok := d.routes.Load(app); ok {
		return r.(*routes)
	}
	r := &routes{}
	if d.sealed {
		return r
	}
	seen := make(map[string]int)
	for _, endpoint := range app.Webhooks {
		key := laneKey{app: app.ID, url: endpoint.URL, nth: seen[endpoint.URL]}
		seen[endpoint.URL]++
		to := d.newRouteLocked(key, app, endpoint)
		r.to = append(r.to, to)
	}
	d.routes.Delete(d.routed[app.ID])
	d.routes.Store(app, r)
	d.routed[app.ID] = app
	return r
}

func (d *Dispatcher) newRouteLocked(key laneKey, app *apps.App, endpoint apps.Endpoint) route {
	r := route{
		prefix:   endpoint.ChannelPrefix,
		suffix:   endpoint.ChannelSuffix,
		batching: endpoint.Batching,
		lane:     d.lanes[key],
	}
	for _, name := range endpoint.Events {
		r.names |= setOf(hub.NoticeName(name))
	}
	if endpoint.ChannelGlob != "" {
		var ok bool
		if r.glob, ok = protocol.ParseChannelGlob(endpoint.ChannelGlob); !ok {
			r.names = 0 // rather nothing than everything
		}
	}
	if r.lane != nil {
		r.lane.configure(app, endpoint)
		return r
	}
	r.lane = newLane(d, key)
	r.lane.configure(app, endpoint)
	r.lane.restore(app, endpoint.Batching)
	d.lanes[key] = r.lane
	d.unstarted = append(d.unstarted, r.lane)
	d.signal()
	return r
}

// target checks an endpoint's URL and returns it as it may stand in a log:
// without credentials and query, which can hold secrets.
func target(raw string) (label string, err error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", errors.New("webhook url cannot be parsed") // the error would quote it
	}
	label = u.Scheme + "://" + u.Host + u.EscapedPath()
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return label, errors.New("webhook url needs http or https and a host")
	}
	return label, nil
}

// origin returns the part of a URL that may stand in a metric.
func origin(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}
