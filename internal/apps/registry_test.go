package apps_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// newApp returns an app with the id and the keys.
func newApp(id apps.ID, keys ...string) *apps.App {
	app := apps.Defaults()
	app.ID = id
	for _, key := range keys {
		app.Keys = append(app.Keys, auth.Key{Key: key, Secret: auth.Secret("hunter2-" + key)})
	}
	return &app
}

func TestRegistry(t *testing.T) {
	one, two := newApp("1", "old", "new"), newApp("2", "other")
	r, err := apps.NewRegistry(one, two)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[apps.ID]*apps.App{"1": one, "2": two, "3": nil, "": nil, "old": nil} {
		if got := r.ByID(id); got != want {
			t.Errorf("id %q: %v, want %v", id, got, want)
		}
	}
	for key, want := range map[string]*apps.App{"old": one, "new": one, "other": two, "": nil, "1": nil, "OLD": nil} {
		if got := r.ByKey(key); got != want {
			t.Errorf("key %q: %v, want %v", key, got, want)
		}
	}
	if all := r.All(); !slices.Equal(all, []*apps.App{one, two}) {
		t.Errorf("all: %v", all)
	}
}

func TestEmptyRegistry(t *testing.T) {
	r, err := apps.NewRegistry()
	if err != nil || r.ByID("1") != nil || r.ByKey("k") != nil || len(r.All()) != 0 {
		t.Errorf("error %v, all %v", err, r.All())
	}
}

func TestReplace(t *testing.T) {
	r, err := apps.NewRegistry(newApp("1", "a"), newApp("2", "b"))
	if err != nil {
		t.Fatal(err)
	}
	// Key b moves from app 2, which goes, to app 3.
	three := newApp("3", "b")
	if err := r.Replace(three); err != nil {
		t.Fatal(err)
	}
	if r.ByID("1") != nil || r.ByKey("a") != nil || r.ByID("3") != three || r.ByKey("b") != three || len(r.All()) != 1 {
		t.Errorf("all %v", r.All())
	}
}

func TestReplaceRefuses(t *testing.T) {
	tests := []struct {
		name string
		apps []*apps.App
		want string
	}{
		{"one id twice", []*apps.App{newApp("2", "b"), newApp("2", "c")}, `"2"`},
		{"one key in two apps", []*apps.App{newApp("2", "b"), newApp("3", "c", "b")}, `"b"`},
		{"one key twice in an app", []*apps.App{newApp("2", "b", "b")}, `"b"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := newApp("1", "a")
			r, err := apps.NewRegistry(before)
			if err != nil {
				t.Fatal(err)
			}
			err = r.Replace(tt.apps...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("error %v, want one that names %s and no secret", err, tt.want)
			}
			if r.ByID("1") != before || r.ByKey("a") != before || r.ByID("2") != nil || r.ByKey("b") != nil || len(r.All()) != 1 {
				t.Errorf("the registry changed: %v", r.All())
			}
			if _, err := apps.NewRegistry(tt.apps...); err == nil {
				t.Error("NewRegistry accepts them")
			}
		})
	}
}

// A reader sees one of the two sets as a whole, never a mixture.
func TestLookupDuringReplace(t *testing.T) {
	sets := [][]*apps.App{{newApp("1", "a")}, {newApp("1", "a"), newApp("2", "b")}}
	r, err := apps.NewRegistry(sets[0]...)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range 200 {
			if err := r.Replace(sets[i%2]...); err != nil {
				t.Errorf("replace: %v", err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for range 200 {
				if all := r.All(); !slices.Equal(all, sets[0]) && !slices.Equal(all, sets[1]) {
					t.Errorf("all: %v", all)
				}
				if app := r.ByKey("a"); app == nil || app.ID != "1" {
					t.Errorf("key a: %v", app)
				}
				if app := r.ByID("2"); app != nil && app != sets[1][1] {
					t.Errorf("id 2: %v", app)
				}
			}
		})
	}
	wg.Wait()
}

// The defaults are those of the table in docs/protocol.md §0.
func TestDefaults(t *testing.T) {
	got := apps.Defaults()
	if !got.Enabled || got.TLSOnly || got.ClientEvents || got.SubscriptionCount || got.Watchlist ||
		got.AuthorizedConnections || got.ClientEventsVerbatim || got.Compression {
		t.Errorf("switches: %+v", got)
	}
	if got.ID != "" || got.Keys != nil || got.Webhooks != nil || got.AllowedOrigins != nil {
		t.Errorf("defaults carry credentials or endpoints: %+v", got)
	}
	for name, n := range map[string][2]int{
		"max_connections":          {got.MaxConnections, 0},
		"client_event_rate":        {got.ClientEventRate, 10},
		"max_event_bytes":          {got.MaxEventBytes, 10_240},
		"max_channels_per_trigger": {got.MaxChannelsPerTrigger, 100},
		"max_batch":                {got.MaxBatch, 10},
		"max_presence_members":     {got.MaxPresenceMembers, 100},
		"max_user_info_bytes":      {got.MaxUserInfoBytes, 1_024},
		"max_user_id_chars":        {got.MaxUserIDChars, 128},
		"max_watchlist":            {got.MaxWatchlist, 100},
		"backlog_bytes":            {got.BacklogBytes, 262_144},
		"compression_min_bytes":    {got.CompressionMinBytes, 512},
	} {
		if n[0] != n[1] {
			t.Errorf("%s is %d, want %d", name, n[0], n[1])
		}
	}
	for name, d := range map[string][2]time.Duration{
		"authorized_timeout": {got.AuthorizedTimeout, 30 * time.Second},
		"activity_timeout":   {got.ActivityTimeout, 120 * time.Second},
		"pong_timeout":       {got.PongTimeout, 30 * time.Second},
		"cache_ttl":          {got.CacheTTL, 1_800 * time.Second},
	} {
		if d[0] != d[1] {
			t.Errorf("%s is %v, want %v", name, d[0], d[1])
		}
	}
}
