package bench

import "testing"

func TestSmallDataCarriesItsNumberOnly(t *testing.T) {
	for _, size := range []int{minSize, 17, dataOverhead - 1} {
		d := newEventData(size)
		data := d.append(nil, 1_764_000_000_123_456_789, 42)
		if len(data) != size || string(data[:minSize]) != "bench00000000042" {
			t.Errorf("%d bytes of data for %d: %s", len(data), size, data)
		}
		find := d.finder()
		msg := append([]byte(`{"event":"tick","data":"`), data...)
		for range 2 { // searched, and remembered
			if sent, number, ok := find.find(msg); sent != 1_764_000_000_123_456_789 || number != 42 || !ok {
				t.Errorf("found %d %d %v", sent, number, ok)
			}
		}
		for _, bad := range []string{"", "bench0000000004", "benchx0000000042", "bunch00000000042"} {
			if _, _, ok := find.find([]byte(bad)); ok {
				t.Errorf("found a stamp in %q", bad)
			}
		}
	}
}

func TestSendTimesForgetTheOldest(t *testing.T) {
	s := newSendTimes()
	s.put(3, 30)
	s.put(3+sendTimeSlots, 31)
	for number, want := range map[uint64]int64{3: 0, 3 + sendTimeSlots: 31, 4: 0} {
		if got := s.get(number); got != want {
			t.Errorf("event %d was sent at %d, want %d", number, got, want)
		}
	}
}
