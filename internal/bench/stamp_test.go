package bench

import (
	"encoding/json"
	"testing"
)

func TestDataHasItsSizeAndItsStamp(t *testing.T) {
	for _, size := range []int{dataOverhead, 256, 9000} {
		data := string(newEventData(size).append(nil, 1_764_000_000_123_456_789, 42))
		msg := `{"event":"tick","channel":"load-0","data":"` + data + `"}`
		var envelope struct{ Data string }
		if err := json.Unmarshal([]byte(msg), &envelope); err != nil {
			t.Fatal(err)
		}
		var content struct{ Bench, Pad string }
		if err := json.Unmarshal([]byte(envelope.Data), &content); err != nil {
			t.Fatal(err)
		}
		if len(envelope.Data) != size || content.Bench != "1764000000123456789.000000000042" {
			t.Errorf("%d bytes of data for %d, stamp %s", len(envelope.Data), size, content.Bench)
		}
		var find stampFinder
		for range 2 { // searched, and remembered
			sent, number, ok := find.find([]byte(msg))
			if sent != 1_764_000_000_123_456_789 || number != 42 || !ok {
				t.Errorf("found %d %d %v", sent, number, ok)
			}
		}
	}
}

func TestFindStamp(t *testing.T) {
	stamp := string(appendStamp(nil, 17, 4))
	tests := []struct {
		name, msg string
		ok        bool
	}{
		{"in a user id", `{"event":"e","data":"{\"user_id\":\"bench-` + stamp + `\"}"}`, true},
		{"in an object that was not made a string", `{"data":{"bench":"` + stamp + `"},"event":"e"}`, true},
		{"none", `{"event":"e","data":"{}"}`, false},
		{"cut off", `{"data":"{\"bench\":\"` + stamp[:stampLen-1], false},
		{"no digits", `{"data":"{\"bench\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`, false},
		{"a letter among them", `{"data":"{\"bench\":\"` + stamp[:25] + `x` + stamp[26:] + `\"}`, false},
		{"too far behind", `bench:::::::` + stamp, false},
		{"nothing at all", ``, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, hint := range []int{0, 5, 1000} {
				find := stampFinder{hint: hint}
				sent, number, ok := find.find([]byte(tt.msg))
				if ok != tt.ok || ok && (sent != 17 || number != 4) {
					t.Errorf("found %d %d %v", sent, number, ok)
				}
			}
		})
	}
}
