package hub

import (
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func (v view) all() []*subscription {
	var all []*subscription
	for _, c := range v {
		all = append(all, c.subs...)
	}
	return all
}

// Whatever joins and leaves, the roster holds each subscription once and knows
// where, and a view stays what it was while others change the list.
func TestRosterAgainstAList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r roster
		var model []*subscription
		type seen struct {
			view view
			then []*subscription
		}
		var views []seen
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 4).Draw(t, "step") {
			case 0, 1:
				for range rapid.SampledFrom([]int{1, 2, chunkSize - 1, chunkSize + 1}).Draw(t, "join") {
					s := &subscription{}
					r.add(s)
					model = append(model, s)
				}
			case 2:
				for range min(len(model), rapid.SampledFrom([]int{1, 3, chunkSize}).Draw(t, "leave")) {
					i := rapid.IntRange(0, len(model)-1).Draw(t, "who")
					r.remove(model[i])
					model = slices.Delete(model, i, i+1)
				}
			case 3:
				v := r.view()
				views = append(views, seen{v, v.all()})
			case 4:
				views = nil
				r.unshare()
			}
			now := view(r.chunks).all()
			if r.n != len(model) || len(now) != len(model) {
				t.Fatalf("%d and %d subscriptions, want %d", r.n, len(now), len(model))
			}
			for i, s := range now {
				if s.index != i {
					t.Fatalf("the subscription at %d believes to be at %d", i, s.index)
				}
			}
			for _, s := range model {
				if now[s.index] != s {
					t.Fatal("a subscription is not where it believes to be")
				}
			}
			for _, v := range views {
				if !slices.Equal(v.view.all(), v.then) {
					t.Fatal("a view has changed")
				}
			}
		}
	})
}

func BenchmarkRosterJoinAndLeaveWhileRead(b *testing.B) {
	for _, n := range []int{10, 1_000, 20_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			var r roster
			for range n {
				r.add(&subscription{})
			}
			s := &subscription{}
			b.ReportAllocs()
			for b.Loop() {
				r.view()
				r.add(s)
				r.view()
				r.remove(s)
			}
		})
	}
}
