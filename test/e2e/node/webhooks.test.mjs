// Webhooks, received over HTTP and believed only if the official Node library validates them.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';

import { backendFor } from '../lib/backend.mjs';
import { open } from '../lib/raw.mjs';
import { app } from '../lib/server.mjs';
import { everyEvent, fresh, startWorld } from '../lib/world.mjs';

const twoKeys = {
  ...app,
  id: '1002',
  keys: [
    { key: 'new-key', secret: 'new-secret', created: '2026-02-01T00:00:00Z' },
    { key: 'old-key', secret: 'old-secret', created: '2026-01-01T00:00:00Z' },
  ],
};

let world;
before(async () => {
  world = await startWorld({
    shape: (base, url) => [
      {
        ...base,
        webhooks: [
          { url: `${url}/hook`, events: everyEvent },
          { url: `${url}/filtered`, events: ['channel_occupied'], channel_prefix: 'orders-' },
          { url: `${url}/batched`, events: ['client_event'], channel_prefix: 'private-batch', batching: true },
          { url: `${url}/flaky`, events: ['channel_occupied'], channel_prefix: 'flaky-' },
        ],
      },
      { ...twoKeys, webhooks: [{ url: `${url}/old-key`, events: ['channel_occupied'] }] },
    ],
  });
  world.hooks.trust(world.backend, backendFor(world.server, { id: '1002', key: 'old-key', secret: 'old-secret' }));
});
after(() => world?.close());
afterEach(() => {
  assert.deepEqual(world.hooks.deliveries.items.filter((d) => !d.valid), []);
});

const presence = (client, channel, data) => client.subscribe(channel,
  world.backend.authorizeChannel(client.socketId, channel, data));

test('a webhook is a signed POST that the library validates (P-224, P-226, P-237)', async (t) => {
  const name = fresh('signed-');
  const began = Date.now();
  await (await open(t, world.server)).subscribe(name);
  const delivery = await world.hooks.deliveries.take((d) => d.path === '/hook' && d.body.includes(name));

  assert.equal(delivery.method, 'POST');
  assert.equal(delivery.headers['content-type'], 'application/json');
  assert.equal(delivery.headers['x-pusher-key'], 'app-key');
  assert.equal(delivery.headers['x-pusher-signature'],
    createHmac('sha256', 'app-secret').update(delivery.body).digest('hex'));
  assert.ok(delivery.rawHeaders.includes('X-Pusher-Key') && delivery.rawHeaders.includes('X-Pusher-Signature'));
  assert.ok(delivery.valid);
  assert.deepEqual(delivery.payload.events, [{ name: 'channel_occupied', channel: name }]);
  assert.ok(Number.isInteger(delivery.payload.time_ms));
  assert.ok(delivery.time.getTime() >= began - 1000 && delivery.time.getTime() <= Date.now() + 1000);
});

test('the oldest of two keys signs (P-225)', async (t) => {
  const name = fresh('keys-');
  await (await open(t, world.server, { key: 'new-key' })).subscribe(name);
  const delivery = await world.hooks.deliveries.take((d) => d.path === '/old-key');
  assert.equal(delivery.headers['x-pusher-key'], 'old-key');
  assert.ok(delivery.valid);
});

test('a channel is occupied once and vacated once (P-227, P-228)', async (t) => {
  const name = fresh('occupied-');
  const [a, b] = [await open(t, world.server), await open(t, world.server)];
  await a.subscribe(name);
  await world.hooks.take('channel_occupied', name);
  await b.subscribe(name);
  a.socket.close();
  await a.end();
  b.send({ event: 'pusher:unsubscribe', data: { channel: name } });
  await b.alive();
  const left = Date.now();
  await world.hooks.take('channel_vacated', name);
  assert.ok(Date.now() - left < 1_500);
  assert.deepEqual(world.hooks.of(name).filter((e) => e.name !== 'subscription_count'),
    [{ name: 'channel_occupied', channel: name }, { name: 'channel_vacated', channel: name }]);
});

test('leaving and returning within the delay is not reported (P-229, P-230)', async (t) => {
  const name = fresh('presence-return');
  const client = await open(t, world.server);
  await presence(client, name, { user_id: '7' });
  await world.hooks.take('member_added', name);
  client.send({ event: 'pusher:unsubscribe', data: { channel: name } });
  await presence(client, name, { user_id: '7' });
  client.send({ event: 'pusher:unsubscribe', data: { channel: name } });
  await world.hooks.take('channel_vacated', name);
  assert.deepEqual(world.hooks.of(name).map((e) => e.name),
    ['channel_occupied', 'member_added', 'member_removed', 'channel_vacated']);
});

test('members are reported once per user, removal before the vacated channel (P-231, P-232)', async (t) => {
  const name = fresh('presence-members');
  const [a, b, c] = [await open(t, world.server), await open(t, world.server), await open(t, world.server)];
  await presence(a, name, { user_id: 10 });
  await presence(b, name, { user_id: '10' });
  await presence(c, name, { user_id: 'ann' });
  for (const client of [a, b, c]) {
    client.socket.close();
    await client.end();
  }
  await world.hooks.take('channel_vacated', name);
  const events = world.hooks.of(name);
  assert.deepEqual(events.slice(0, 3), [
    { name: 'channel_occupied', channel: name },
    { name: 'member_added', channel: name, user_id: '10' },
    { name: 'member_added', channel: name, user_id: 'ann' },
  ]);
  const removed = events.slice(3, 5).map((e) => `${e.name} ${e.user_id}`).sort();
  assert.deepEqual(removed, ['member_removed 10', 'member_removed ann']);
  assert.deepEqual(events.slice(5), [{ name: 'channel_vacated', channel: name }]);
});

test('client events are reported with string data (P-233, P-234)', async (t) => {
  const [secret, room] = [fresh('private-hook'), fresh('presence-hook')];
  const client = await open(t, world.server);
  await presence(client, secret);
  await presence(client, room, { user_id: '42' });
  client.send({ event: 'client-refused', channel: 'not-subscribed', data: {} });
  client.send({ event: 'client-object', channel: secret, data: { on: true } });
  client.send({ event: 'client-text', channel: room, data: 'as it is' });

  const { path: _, ...object } = await world.hooks.take('client_event', secret);
  assert.deepEqual({ ...object, data: JSON.parse(object.data) }, { name: 'client_event', channel: secret,
    event: 'client-object', data: { on: true }, socket_id: client.socketId });
  const { path: __, ...text } = await world.hooks.take('client_event', room);
  assert.deepEqual(text, { name: 'client_event', channel: room, event: 'client-text', data: 'as it is',
    socket_id: client.socketId, user_id: '42' });
  assert.ok(!world.hooks.events.items.some((e) => e.event === 'client-refused'));
});

test('a cache miss is reported once until the cache is filled (P-235)', async (t) => {
  const name = fresh('cache-hook');
  for (const _ of Array(10)) {
    await (await open(t, world.server)).subscribe(name);
  }
  await world.hooks.take('cache_miss', name);
  await world.backend.trigger(name, 'filled', {});
  const late = await open(t, world.server);
  await late.subscribe(name);
  await late.next('filled');
  const fence = fresh('cache-fence');
  await late.subscribe(fence);
  await world.hooks.take('cache_miss', fence);
  assert.deepEqual(world.hooks.of(name).filter((e) => e.name === 'cache_miss'), [{ name: 'cache_miss', channel: name }]);
});

test('subscription counts are reported as integers (P-236)', async (t) => {
  const name = fresh('counted-');
  const [a, b] = [await open(t, world.server), await open(t, world.server)];
  await a.subscribe(name);
  await b.subscribe(name);
  const event = await world.hooks.events.take((e) => e.channel === name && e.subscription_count === 2);
  assert.equal(event.name, 'subscription_count');
});

test('an endpoint is sent only what it selected (P-239)', async (t) => {
  const [orders, other] = [fresh('orders-'), fresh('other-')];
  const client = await open(t, world.server);
  await client.subscribe(other);
  await client.subscribe(orders);
  await world.hooks.events.take((e) => e.path === '/filtered' && e.channel === orders);
  assert.deepEqual(world.hooks.of(other, '/filtered'), []);
  assert.deepEqual(world.hooks.of(orders, '/filtered'), [{ name: 'channel_occupied', channel: orders }]);
});

test('a batching endpoint gets the events of a moment in one request and in order (P-238)', async (t) => {
  const name = fresh('private-batch');
  const client = await open(t, world.server);
  await presence(client, name);
  const names = Array.from({ length: 8 }, (_, i) => `client-${i}`);
  names.forEach((event) => client.send({ event, channel: name, data: {} }));
  const delivery = await world.hooks.deliveries.take((d) => d.path === '/batched' && d.body.includes('client-7'));
  assert.ok(delivery.valid);
  assert.deepEqual(delivery.payload.events.map((e) => e.event), names);
});

test('a failed delivery is repeated byte for byte, and later ones do not wait for it (P-240, P-241, P-243, P-244)', async (t) => {
  const [first, second] = [fresh('flaky-'), fresh('flaky-')];
  t.after(() => {
    world.hooks.answer = () => 200;
  });
  world.hooks.answer = ({ path, body }, number) => (path === '/flaky' && body.includes(first) && number <= 1 ? 503 : 200);
  const flaky = (name) => world.hooks.deliveries.take((d) => d.path === '/flaky' && d.body.includes(name));
  const client = await open(t, world.server);
  await client.subscribe(first);
  const failed = await flaky(first);
  await client.subscribe(second);
  await flaky(second);
  const repeated = await flaky(first);
  assert.equal(repeated.body, failed.body);
  assert.equal(repeated.headers['x-pusher-signature'], failed.headers['x-pusher-signature']);
  assert.ok(repeated.valid);

  const order = world.hooks.deliveries.items.filter((d) => d.path === '/flaky').map((d) => d.body.includes(first));
  assert.deepEqual(order, [true, false, true]);
});
