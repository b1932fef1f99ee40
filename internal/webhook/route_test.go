package webhook

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// P-239: an endpoint receives only its selected event types and channels, and no
// request when nothing is left.
func TestSelection(t *testing.T) {
	notices := []struct {
		name    hub.NoticeName
		channel string
	}{
		{hub.ChannelOccupied, "orders-eu"},
		{hub.ChannelOccupied, "orders-us"},
		{hub.ChannelOccupied, "chat-eu"},
		{hub.ChannelVacated, "orders-eu"},
		{hub.CacheMissed, "cache-orders-eu"},
		{hub.SubscriptionCount, "orders-eu"},
	}
	for name, c := range map[string]struct {
		endpoint apps.Endpoint
		want     []string
	}{
		"nothing chosen":      {apps.Endpoint{Events: []string{}}, nil},
		"unknown type":        {apps.Endpoint{Events: []string{"channel_created"}}, nil},
		"one type":            {apps.Endpoint{Events: []string{"channel_vacated"}}, []string{"channel_vacated orders-eu"}},
		"two types":           {apps.Endpoint{Events: []string{"cache_miss", "subscription_count"}}, []string{"cache_miss cache-orders-eu", "subscription_count orders-eu"}},
		"prefix":              {apps.Endpoint{Events: []string{"channel_occupied"}, ChannelPrefix: "orders-"}, []string{"channel_occupied orders-eu", "channel_occupied orders-us"}},
		"suffix":              {apps.Endpoint{Events: []string{"channel_occupied"}, ChannelSuffix: "-eu"}, []string{"channel_occupied orders-eu", "channel_occupied chat-eu"}},
		"prefix and suffix":   {apps.Endpoint{Events: allNames, ChannelPrefix: "orders", ChannelSuffix: "-us"}, []string{"channel_occupied orders-us"}},
		"whole name":          {apps.Endpoint{Events: []string{"channel_vacated"}, ChannelPrefix: "orders-eu", ChannelSuffix: "orders-eu"}, []string{"channel_vacated orders-eu"}},
		"glob":                {apps.Endpoint{Events: []string{"channel_occupied"}, ChannelGlob: "*-e?"}, []string{"channel_occupied orders-eu", "channel_occupied chat-eu"}},
		"all three filters":   {apps.Endpoint{Events: allNames, ChannelPrefix: "orders", ChannelSuffix: "eu", ChannelGlob: "?*-eu"}, []string{"channel_occupied orders-eu", "channel_vacated orders-eu", "subscription_count orders-eu"}},
		"glob against prefix": {apps.Endpoint{Events: allNames, ChannelPrefix: "orders", ChannelGlob: "chat-*"}, nil},
		"no channel matches":  {apps.Endpoint{Events: allNames, ChannelPrefix: "private-"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, batching := range []bool{false, true} {
					r := &receiver{}
					c.endpoint.URL, c.endpoint.Batching, c.endpoint.MaxInFlight = hookURL, batching, 1
					app := newApp("1", c.endpoint)
					d := start(t, Options{Transport: r})
					for _, n := range notices {
						d.Emit(edgeNotice(app, n.name, n.channel, ""))
					}
					if err := d.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					wantEvents(t, r.events(), c.want...)
				}
			})
		})
	}
}

func TestServerToUserChannelsRaiseNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r})
		for _, name := range hub.NoticeNames {
			d.Emit(edgeNotice(app, name, "#server-to-user-7", "7"))
		}
		synctest.Wait()
		wantEvents(t, r.events())
	})
}

// Connections keep the app they were accepted under; its endpoints are those of
// the present settings all the same.
func TestReplacedEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		before := newApp("1", apps.Endpoint{URL: "http://old.example/"})
		after := newApp("1", apps.Endpoint{URL: "http://new.example/"})
		registry := registryOf(t, before)
		d := start(t, Options{Transport: r, Registry: registry})
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "a", ""))
		if err := registry.Replace(after); err != nil {
			t.Fatal(err)
		}
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "b", ""))
		d.Emit(edgeNotice(after, hub.ChannelOccupied, "c", ""))
		if err := registry.Replace(); err != nil { // what the app was told last still counts
			t.Fatal(err)
		}
		d.Emit(edgeNotice(after, hub.ChannelOccupied, "d", ""))
		synctest.Wait()
		var got []string
		for _, req := range r.requests() {
			got = append(got, req.url+" "+req.hook.Events[0].Channel)
		}
		slices.Sort(got)
		want := []string{"http://new.example/ b", "http://new.example/ c", "http://new.example/ d", "http://old.example/ a"}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestNewRefusesUnusableURLs(t *testing.T) {
	for _, url := range []string{
		"", "hooks.example", "/in", "ftp://hooks.example/", "http://", "http://:8080/", "http:///in",
		"http://user:hunter2@hooks.example:port/?token=hunter2", "http://hooks.example/%zz?token=hunter2", "\x00",
	} {
		app := newApp("1", apps.Endpoint{URL: url})
		_, err := New(Options{Registry: registryOf(t, app)})
		if err == nil {
			t.Errorf("%q is taken", url)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: the error tells a secret: %v", url, err)
		}
	}
}

func TestTargetHidesSecrets(t *testing.T) {
	got, err := target("https://user:hunter2@hooks.example:8443/in/x%20y?token=hunter2#hunter2")
	if want := "https://hooks.example:8443/in/x%20y"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
