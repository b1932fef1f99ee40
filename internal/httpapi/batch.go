package httpapi

import (
	"slices"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// postBatchEvents publishes several events of one channel each, in their order,
// or none of them (§7.4).
func (a *API) postBatchEvents(c *call) error {
	if err := c.readBatch(); err != nil {
		return err
	}
	for i := range c.events {
		if err := c.events[i].checkSize(c.app); err != nil {
			return err
		}
	}
	c.publications = slices.Grow(c.publications, len(c.events))
	for i := range c.events {
		c.publications = append(c.publications, c.events[i].publication(c.events[i].channels[0]))
	}
	a.hub.PublishInOrder(c.app, c.publications)
	c.out = a.appendBatch(c.out, c.app, c.events)
	return nil
}

// readBatch leaves the events of the body in the call.
func (c *call) readBatch() error {
	batch, err := batchOf(c.body)
	if err != nil {
		return err
	}
	n := 0
	if err = batch.Elements(func(strictjson.Value) error { n++; return nil }); err != nil || n == 0 {
		return errMissing("batch")
	}
	if n > c.app.MaxBatch {
		return errTooMany("Batch too large", n, c.app.MaxBatch)
	}
	c.events = slices.Grow(c.events, n)
	return batch.Elements(func(item strictjson.Value) error {
		e, err := c.batchItem(item)
		c.events = append(c.events, e)
		return err
	})
}

// batchOf returns the batch member of a body, nil if there is none.
func batchOf(body []byte) (batch strictjson.Value, err error) {
	if len(body) == 0 {
		return nil, nil
	}
	object, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	err = object.Members(func(key []byte, v strictjson.Value) error {
		if string(key) == "batch" {
			batch = v
		}
		return nil
	})
	return batch, err
}

func (c *call) batchItem(item strictjson.Value) (event, error) {
	var p eventParams
	if item.Kind() != strictjson.Object {
		return event{}, errBatchItem
	}
	if err := p.read(item); err != nil {
		return event{}, err
	}
	if !p.channels.IsAbsent() { // an item has one channel
		return event{}, errMissing("channel")
	}
	return c.event(&p)
}

// appendBatch appends the answer: an empty object, or if any item asked for
// something, an array in step with the request.
func (a *API) appendBatch(dst []byte, app *apps.App, events []event) []byte {
	asked := false
	for i := range events {
		asked = asked || events[i].info != 0
	}
	if !asked {
		return append(dst, emptyObject...)
	}
	a.hub.Await(hub.Heard)
	dst = append(dst, `{"batch":[`...)
	for i := range events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.appendCountsOf(dst, app, events[i].channels[0], events[i].info)
	}
	return append(dst, "]}"...)
}
