package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// simClient is a client of one channel.
type simClient struct {
	s       *simulation
	node    *hubNode
	a       *hub.Attachment
	channel protocol.ChannelName
	user    string
	since   map[string]int // what was published when it had succeeded
	gone    bool

	mu      sync.Mutex
	begun   bool
	members map[string]bool
	events  map[string][]int // by publisher
	faults  []string
}

func (s *simulation) connect(x *hubNode, user string, channel protocol.ChannelName) {
	c := &simClient{
		s: s, node: x, channel: channel, user: user,
		members: make(map[string]bool), events: make(map[string][]int),
	}
	a, err := x.hub.Attach(s.app, c)
	if err != nil {
		s.t.Fatal(err)
	}
	c.a = a
	r := hub.SubscribeRequest{Channel: string(channel)}
	if channel.Kind().Has(protocol.Presence) {
		data := fmt.Sprintf(`{"user_id":%q,"user_info":{"of":%q}}`, user, user)
		r.ChannelData = &data
		r.Auth = auth.Token(s.app.Keys[0], auth.ChannelText(a.SocketID(), channel, r.ChannelData))
	}
	if refusal := a.Subscribe(nil, r); refusal != nil {
		s.t.Fatalf("subscribe: %v", refusal)
	}
	c.since = maps.Clone(s.sent)
	s.clients = append(s.clients, c)
}

func (c *simClient) detach() {
	c.a.Detach(nil)
	c.gone = true
}

func (c *simClient) Outlet() hub.Outlet        { return c }
func (c *simClient) Deflates() bool            { return false }
func (c *simClient) Close(protocol.CloseError) {}

// Deliver takes frames as a client library would, and notes what makes no sense.
func (c *simClient) Deliver(w protocol.Wire) error {
	frames, err := testkit.ParseFrames(w)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.faults = append(c.faults, err.Error())
	}
	for _, f := range frames {
		c.takeLocked(f)
	}
	return nil
}

func (c *simClient) takeLocked(f testkit.Frame) {
	switch f.Event {
	case protocol.EventSubscriptionSucceeded:
		c.begun = true
		var data struct {
			Presence struct{ IDs []string }
		}
		_ = json.Unmarshal([]byte(f.Data), &data) // the other channels have none
		for _, id := range data.Presence.IDs {
			c.members[id] = true
		}
	case protocol.EventMemberAdded, protocol.EventMemberRemoved:
		var data struct {
			UserID string `json:"user_id"`
		}
		_ = json.Unmarshal([]byte(f.Data), &data) // an empty id is a fault by itself
		added := f.Event == protocol.EventMemberAdded
		if !c.begun || c.members[data.UserID] == added {
			c.faults = append(c.faults, fmt.Sprintf("%s of %q, members %v", f.Event, data.UserID, c.members))
		}
		c.members[data.UserID] = added
	case "pipesocket:gap":
	default:
		n, err := strconv.Atoi(f.Data)
		if before := c.events[f.Event]; err != nil || len(before) > 0 && before[len(before)-1] >= n {
			c.faults = append(c.faults, fmt.Sprintf("%s %s after %v", f.Event, f.Data, before))
		}
		c.events[f.Event] = append(c.events[f.Event], n)
	}
}

func (c *simClient) check() {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := fmt.Sprintf("%s on %s at %s", c.user, c.channel, c.node.name)
	for _, fault := range c.faults {
		c.s.t.Errorf("%s: %s", name, fault)
	}
	if c.gone {
		return
	}
	var members []string
	for id, present := range c.members {
		if present {
			members = append(members, id)
		}
	}
	slices.Sort(members)
	if users := c.node.hub.Users(c.s.app, c.channel); !slices.Equal(members, users) {
		c.s.t.Errorf("%s: knows %v, on the channel are %v", name, members, users)
	}
	c.checkEvents(name)
}

// checkEvents checks that nothing is missing of what was published after the
// client's success. Servers of a mesh may lose each other for less than a beat,
// which nobody can notice; a node that is killed takes events with it.
func (c *simClient) checkEvents(name string) {
	if c.s.faults && c.s.mesh {
		return
	}
	for _, x := range c.s.nodes {
		from := x.name + " " + string(c.channel)
		if x.killed || x.lonely {
			continue
		}
		for n := c.since[from] + 1; n <= c.s.sent[from]; n++ {
			if !slices.Contains(c.events[x.name], n) {
				c.s.t.Errorf("%s: event %d of %s is missing, of %d", name, n, x.name, c.s.sent[from])
			}
		}
	}
}
