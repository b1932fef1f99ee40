// How the webhook parsers of libraries that do not run here decide, written after their source: what each of them reads,
// compares and refuses. They stand for the libraries only as far as this goes. The Node and the Go library run themselves,
// the Python library in more/.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';

const hex = (secret, body) => createHmac('sha256', secret).update(body).digest('hex');

/** The value of a header whose name has exactly this case on the wire. */
function exactHeader({ rawHeaders }, name) {
  const values = rawHeaders.filter((_, i) => i % 2 === 1 && rawHeaders[i - 1] === name);
  assert.equal(values.length, 1, `${name} is there once`);
  return values[0];
}

/** pusher-http-ruby, lib/pusher/webhook.rb: Rack's header names, the media type without parameters, a text comparison. */
function ruby(delivery, { key, secret }) {
  assert.equal(delivery.headers['content-type'].split(';')[0].trim(), 'application/json');
  assert.equal(delivery.headers['x-pusher-key'], key);
  assert.equal(delivery.headers['x-pusher-signature'], hex(secret, delivery.body));
  const data = JSON.parse(delivery.body);
  assert.ok(Number.isFinite(data.time_ms) && Array.isArray(data.events));
}

/**
 * pusher-http-php, src/Pusher.php: looks header names up by their case, and decodes with JSON_THROW_ON_ERROR, which refuses
 * unpaired surrogates (which stringify writes as escapes) and property names that begin with a NUL.
 */
function php(delivery, { key, secret }) {
  assert.equal(exactHeader(delivery, 'X-Pusher-Key'), key);
  assert.equal(exactHeader(delivery, 'X-Pusher-Signature'), hex(secret, delivery.body));
  const data = JSON.parse(delivery.body);
  assert.doesNotMatch(JSON.stringify(data), /\\ud[89a-f]/, 'an unpaired surrogate');
  assert.ok(Number.isSafeInteger(data.time_ms));
  data.events.forEach((event) => assert.ok(typeof event.channel === 'string' && !Object.keys(event).some((k) => k.startsWith('\0'))));
}

/** pusher-http-python, pusher/pusher_client.py: a text comparison and a clock that agrees within 300 s. */
function python(delivery, { key, secret }) {
  assert.equal(delivery.headers['x-pusher-key'], key);
  assert.equal(delivery.headers['x-pusher-signature'], hex(secret, delivery.body));
  assert.ok(Math.abs(Date.now() - JSON.parse(delivery.body).time_ms) <= 300_000);
}

/** pusher-http-dotnet, WebHook.cs: events are a list of dictionaries from strings to strings; numbers are converted. */
function dotnet(delivery, { secret }) {
  assert.equal(delivery.headers['x-pusher-signature'], hex(secret, delivery.body));
  for (const event of JSON.parse(delivery.body).events) {
    Object.entries(event).forEach(([name, value]) => assert.ok(typeof value === 'string' || Number.isInteger(value), name));
  }
}

/** pusher-http-java, Pusher.java: key and signature, the latter compared without regard to time or case. */
function java(delivery, { key, secret }) {
  assert.equal(delivery.headers['x-pusher-key'], key);
  assert.equal(delivery.headers['x-pusher-signature'], hex(secret, delivery.body));
}

/** pusher-http-swift, WebhookEvent: the names of its enumeration, each with the fields that it wants. */
function swift(delivery) {
  const wanted = { channel_occupied: [], channel_vacated: [], member_added: ['user_id'], member_removed: ['user_id'],
    client_event: ['event', 'data', 'socket_id'] };
  const { time_ms: time, events } = JSON.parse(delivery.body);
  assert.ok(Number.isSafeInteger(time));
  for (const event of events.filter((e) => wanted[e.name])) {
    ['channel', ...wanted[event.name]].forEach((field) => assert.equal(typeof event[field], 'string', `${event.name} ${field}`));
  }
}

/** The checks by the name of the library. Each throws where the library would refuse. */
export const foreignParsers = { ruby, php, python, dotnet, java, swift };
