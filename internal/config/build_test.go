package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

func TestBuildApps(t *testing.T) {
	t.Run("an app without settings is as apps.Defaults", func(t *testing.T) {
		c := Config{Apps: []App{DefaultApp()}}
		want := apps.Defaults()
		want.Keys = nil
		got := *c.BuildApps()[0]
		got.Keys = nil
		if !reflect.DeepEqual(got, want) {
			t.Errorf("built %+v\nwant %+v", got, want)
		}
	})
	t.Run("a webhook without settings has its defaults written out", func(t *testing.T) {
		c := Config{Apps: []App{{Webhooks: []Webhook{DefaultWebhook()}}}}
		got := c.BuildApps()[0].Webhooks[0]
		want := apps.Endpoint{BatchEvents: 50, BatchBytes: 262_144, BatchWait: time.Second, MaxInFlight: 32}
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(apps.Endpoint{}.WithDefaults(), want) {
			t.Errorf("built %+v, want %+v", got, want)
		}
	})
	t.Run("every setting arrives", func(t *testing.T) {
		c, err := Load(LoadOptions{File: withCertificates(t, "testdata/good/everything.yaml")})
		if err != nil {
			t.Fatal(err)
		}
		got := *c.BuildApps()[0]
		defaults := reflect.ValueOf(apps.Defaults())
		for field := range defaults.Type().Fields() {
			value := reflect.ValueOf(got).FieldByIndex(field.Index).Interface()
			if reflect.DeepEqual(value, defaults.FieldByIndex(field.Index).Interface()) {
				t.Errorf("%s stayed at its default, %v", field.Name, value)
			}
		}
		want := apps.Endpoint{
			URL: "https://user:pass@example.com/hook?token=t", Events: WebhookEvents(),
			ChannelPrefix: "private-", ChannelSuffix: "-x", ChannelGlob: "private-*-?-x",
			Headers:  []apps.Header{{Name: "X-Receiver-Token", Value: "sesame 1"}, {Name: "x-other", Value: "sesame-2"}},
			Batching: true, BatchEvents: 26, BatchBytes: 2727, BatchWait: 28 * time.Millisecond,
			SigningKey: "k-2", RetryFor: 29 * time.Hour, MaxInFlight: 30,
		}
		if len(got.Webhooks) != 1 || !reflect.DeepEqual(got.Webhooks[0], want) {
			t.Errorf("webhooks %+v, want %+v", got.Webhooks, want)
		}
		if !got.History.Selects("presence-room-12") || got.History.Selects("presence-room-123") || got.History.MaxBytes != 32 {
			t.Errorf("history %+v", got.History)
		}
		if got.MaxBatch != 17 || got.ActivityTimeout != 22*time.Second || got.BacklogBytes != 2424 || got.MaxUserInfoBytes != 19 {
			t.Errorf("built %+v", got)
		}
	})
	t.Run("client_event_data string is not verbatim", func(t *testing.T) {
		c := Config{Apps: []App{{ClientEventData: ClientEventString}, {ClientEventData: ClientEventVerbatim}}}
		if built := c.BuildApps(); built[0].ClientEventsVerbatim || !built[1].ClientEventsVerbatim {
			t.Errorf("built %+v, %+v", built[0], built[1])
		}
	})
}

func TestOldestFirst(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	tests := []struct {
		name string
		keys []Key
		want string
	}{
		{"none", nil, ""},
		{"without times as written", []Key{{Key: "c"}, {Key: "a"}, {Key: "b"}}, "c a b"},
		{"by time", []Key{{Key: "c", Created: day(3)}, {Key: "a", Created: day(1)}, {Key: "b", Created: day(2)}}, "a b c"},
		{"equal times as written", []Key{{Key: "b", Created: day(1)}, {Key: "a", Created: day(1)}}, "b a"},
		{"pairs without a time keep their place", []Key{{Key: "x"}, {Key: "b", Created: day(2)}, {Key: "y"}, {Key: "a", Created: day(1)}}, "x a y b"},
		{"over time zones", []Key{{Key: "b", Created: day(1)}, {Key: "a", Created: day(1).Add(-time.Minute).In(time.FixedZone("", 7200))}}, "a b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, pair := range oldestFirst(tt.keys) {
				got = append(got, pair.Key)
			}
			if strings.Join(got, " ") != tt.want {
				t.Errorf("order %v, want %s", got, tt.want)
			}
		})
	}
}
