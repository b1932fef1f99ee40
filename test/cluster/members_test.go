package cluster

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// there returns the users that are in the room now, of listeners on these nodes.
func (w *world) there(nodes []*node) map[string]bool {
	users := make(map[string]bool)
	for _, l := range w.listeners {
		if _, connected := l.view(); connected && slices.Contains(nodes, l.node) {
			users[l.user] = true
		}
	}
	return users
}

// divergence returns what some of these nodes, or a client of one, believes of the
// room that is not so. Visitors of these nodes come and go; nobody of any other
// node may be there.
func (w *world) divergence(nodes []*node) (problems []string) {
	want := w.there(nodes)
	if len(want) != len(nodes)*form.clients {
		return []string{fmt.Sprintf("%d of %d clients are connected", len(want), len(nodes)*form.clients)}
	}
	visitors := func(user string) bool {
		return slices.ContainsFunc(nodes, func(n *node) bool { return strings.HasPrefix(user, "v-"+n.name+"-") })
	}
	for _, n := range nodes {
		users, err := w.users(n)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", n.name, err))
			continue
		}
		maps.DeleteFunc(users, func(user string, _ bool) bool { return visitors(user) })
		problems = append(problems, differences(n.name+" says", users, want)...)
	}
	for _, l := range w.listeners {
		if v, connected := l.view(); connected && slices.Contains(nodes, l.node) {
			maps.DeleteFunc(v.members, func(user string, _ bool) bool { return visitors(user) })
			problems = append(problems, differences(l.user+" believes", v.members, want)...)
		}
	}
	return problems
}

// users returns whom a node tells to be in the room.
func (w *world) users(n *node) (map[string]bool, error) {
	process, _ := n.now()
	if process == nil {
		return nil, fmt.Errorf("%s does not run", n.name)
	}
	return w.usersAt(process.Public)
}

// usersAt is users for the process that listens there.
func (w *world) usersAt(base string) (map[string]bool, error) {
	var answer struct {
		Users []struct {
			ID string `json:"id"`
		} `json:"users"`
	}
	path := "/apps/" + appID + "/channels/" + room + "/users"
	if err := w.backend.call(w.t.Context(), base, http.MethodGet, path, nil, nil, &answer); err != nil {
		return nil, err
	}
	users := make(map[string]bool)
	for _, user := range answer.Users {
		users[user.ID] = true
	}
	return users, nil
}

func differences(who string, got, want map[string]bool) (all []string) {
	for user := range want {
		if !got[user] {
			all = append(all, fmt.Sprintf("%s: %s is not there", who, user))
		}
	}
	for user := range got {
		if !want[user] {
			all = append(all, fmt.Sprintf("%s: %s is there", who, user))
		}
	}
	slices.Sort(all)
	return all
}
