package httpapi_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

const batchEvents = "/apps/3/batch_events"

func batch(items ...string) request {
	return post(batchEvents, `{"batch":[`+strings.Join(items, ",")+`]}`)
}

// P-204
func TestBatchDeliversInOrder(t *testing.T) {
	bubble(t, func(f *fixture) {
		s := f.connect("a", "b")
		items := make([]string, 0, 11)
		want := make([]string, 0, 10)
		for _, n := range "0123456789" {
			items = append(items, `{"channel":"a","name":"e","data":"`+string(n)+`"}`)
			want = append(want, "e a "+string(n))
		}
		f.want(batch(items...), http.StatusOK, "{}")
		wantDelivered(s, want...)
		f.want(batch(append(items, items[0])...), http.StatusBadRequest, "Batch too large (11 > 10)")
		wantDelivered(s)
		f.want(batch(
			`{"channel":"a","name":"e","data":{"x":[1, 2]},"info":null,"socket_id":null,"channels":null}`,
			`{"channel":"b","name":"f","data":"1","unknown":1}`,
		), http.StatusOK, "{}")
		wantDelivered(s, `e a {"x":[1, 2]}`, "f b 1")
	})
}

// P-205
func TestBatchInfoIsAlignedWithTheRequest(t *testing.T) {
	bubble(t, func(f *fixture) {
		f.member("presence-b", "1")
		f.member("presence-b", "1")
		f.want(batch(
			`{"channel":"a","name":"e","data":"1"}`,
			`{"channel":"presence-b","name":"e","data":"2","info":"user_count"}`,
			`{"channel":"a","name":"e","data":"3","info":"user_count"}`,
			`{"channel":"presence-b","name":"e","data":"4","info":"subscription_count,user_count"}`,
			`{"channel":"a","name":"e","data":"5","info":""}`,
		), http.StatusOK, `{"batch":[{},{"user_count":1},{},{"user_count":1,"subscription_count":2},{}]}`)
		f.want(batch(`{"channel":"a","name":"e","data":"1","info":"user_count"}`), http.StatusOK, `{"batch":[{}]}`)
	})
}

// P-206, P-222
func TestBatchRefuses(t *testing.T) {
	const good = `{"channel":"good","name":"e","data":"1"}`
	tests := []struct {
		name   string
		r      request
		status int
		want   string
	}{
		{"no body", post(batchEvents, ""), http.StatusBadRequest, "Missing required parameter: batch"},
		{"no batch", post(batchEvents, `{"name":"e","channel":"good","data":"1"}`), http.StatusBadRequest, "Missing required parameter: batch"},
		{"a null batch", post(batchEvents, `{"batch":null}`), http.StatusBadRequest, "Missing required parameter: batch"},
		{"an empty batch", post(batchEvents, `{"batch":[]}`), http.StatusBadRequest, "Missing required parameter: batch"},
		{"an object as batch", post(batchEvents, `{"batch":`+good+`}`), http.StatusBadRequest, "Missing required parameter: batch"},
		{"an array as body", post(batchEvents, `[`+good+`]`), http.StatusBadRequest, "Expected the request body to be a JSON object"},
		{"an item with channels", batch(good, `{"channels":["good"],"name":"e","data":"1"}`), http.StatusBadRequest, "Missing required parameter: channel"},
		{"an item with both", batch(good, `{"channel":"good","channels":["good"],"name":"e","data":"1"}`), http.StatusBadRequest, "Missing required parameter: channel"},
		{"an item without channel", batch(good, `{"name":"e","data":"1"}`), http.StatusBadRequest, "Missing required parameter: channel"},
		{"an item without name", batch(good, `{"channel":"good","data":"1"}`), http.StatusBadRequest, "Missing required parameter: name"},
		{"an item without data", batch(good, `{"channel":"good","name":"e"}`), http.StatusBadRequest, "Missing required parameter: data"},
		{"an item that is a string", batch(good, `"x"`), http.StatusBadRequest, "Expected each item of batch to be an object"},
		{"an item that is null", batch(good, `null`), http.StatusBadRequest, "Expected each item of batch to be an object"},
		{"an item with a key twice", batch(good, `{"channel":"good","channel":"good","name":"e","data":"1"}`), http.StatusBadRequest, "The request body is not accepted: JSON object names a key twice"},
		{"a bad channel last", batch(good, good, `{"channel":"b d","name":"e","data":"1"}`), http.StatusBadRequest, "Invalid channel name b d"},
		{"a bad socket id", batch(good, `{"channel":"good","name":"e","data":"1","socket_id":"x"}`), http.StatusBadRequest, "Invalid socket_id"},
		{"a reserved name", batch(good, `{"channel":"good","name":"pusher:e","data":"1"}`), http.StatusBadRequest, "The 'pusher' namespace is reserved for internal usage"},
		{"an unknown attribute", batch(good, `{"channel":"good","name":"e","data":"1","info":"x"}`), http.StatusBadRequest, "info should be a comma separated list of attributes"},
		{"one event that is too large", batch(good, `{"channel":"good","name":"e","data":"`+strings.Repeat("x", 10_241)+`"}`), http.StatusRequestEntityTooLarge, "The data content of this event exceeds the allowed maximum (10240 bytes)."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(f *fixture) {
				s := f.connect("good")
				f.want(tt.r, tt.status, tt.want)
				wantDelivered(s)
			})
		})
	}
}

// P-207
func TestBatchExcludesPerItem(t *testing.T) {
	bubble(t, func(f *fixture) {
		a, b := f.connect("x"), f.connect("x")
		f.want(batch(
			`{"channel":"x","name":"e","data":"1","socket_id":"`+string(a.id())+`"}`,
			`{"channel":"x","name":"e","data":"2","socket_id":"`+string(b.id())+`"}`,
			`{"channel":"x","name":"e","data":"3"}`,
		), http.StatusOK, "{}")
		wantDelivered(a, "e x 2", "e x 3")
		wantDelivered(b, "e x 1", "e x 3")
	})
}

// Ten full events with every byte escaped stay below the body limit.
func TestBatchOfFullEventsFits(t *testing.T) {
	f := newFixture(t)
	item := `{"channel":"a","name":"e","data":"` + strings.Repeat(`\u0041`, 10_240) + `"}`
	f.want(batch(slices.Repeat([]string{item}, 10)...), http.StatusOK, "{}")
}
