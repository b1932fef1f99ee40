// The HTTP API as the official Node library uses it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { backendFor } from '../lib/backend.mjs';
import { open } from '../lib/raw.mjs';
import { app } from '../lib/server.mjs';
import { fresh, startWorld } from '../lib/world.mjs';

const paused = { id: '1002', keys: [{ key: 'paused-key', secret: 'paused-secret' }], enabled: false };

let world;
before(async () => {
  world = await startWorld({ shape: () => [app, paused] });
});
after(() => world?.close());

/** Subscribes a raw connection to a channel, as user if the channel wants one. */
async function subscriber(t, channel, user) {
  const client = await open(t, world.server);
  const fields = /^(private|presence)-/.test(channel)
    ? world.backend.authorizeChannel(client.socketId, channel, user && { user_id: user })
    : {};
  await client.subscribe(channel, fields);
  return client;
}

/** The status and body with which a call was refused. */
async function refusal(call) {
  const error = await call.then(() => assert.fail('accepted'), (e) => e);
  assert.equal(error.name, 'PusherRequestError', String(error));
  return { status: error.status, body: error.body };
}

test('trigger is answered by an empty JSON object (P-188, P-250)', async () => {
  const response = await world.backend.trigger(fresh('plain-'), 'event', { n: 1 });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('content-type'), 'application/json');
  assert.equal(await response.text(), '{}');
  assert.deepEqual([...response.headers.keys()].filter((name) => name.startsWith('access-control')), []);
});

test('channel and channels deliver the data character for character (P-189)', async (t) => {
  const name = fresh('verbatim-');
  const client = await subscriber(t, name);
  const data = '{"a" : 1.0,  "b":"<&>\\u2028", "c":12345678901234567890}';
  await world.backend.post({ path: '/events', body: { name: 'one', channel: name, data } });
  await world.backend.post({ path: '/events', body: { name: 'many', channels: [name], data } });
  assert.equal((await client.next('one')).data, data);
  assert.equal((await client.next('many')).data, data);
});

test('info attributes are answered per channel (P-202, P-215)', async (t) => {
  const [room, plain, empty] = [fresh('presence-info'), fresh('info-'), fresh('info-')];
  for (const user of ['1', '1', '2']) {
    await subscriber(t, room, user);
  }
  await subscriber(t, plain);
  const response = await world.backend.trigger([room, plain, empty], 'event', {}, { info: 'user_count,subscription_count' });
  assert.deepEqual(await response.json(), {
    channels: {
      [room]: { user_count: 2, subscription_count: 3 },
      [plain]: { subscription_count: 1 },
      [empty]: { subscription_count: 0 },
    },
  });
});

test('an unknown info attribute is refused (P-203)', async () => {
  const { status, body } = await refusal(world.backend.trigger('plain', 'event', {}, { info: 'mood' }));
  assert.deepEqual([status, body], [400, 'info should be a comma separated list of attributes\n']);
});

test('a hundred channels are accepted, one more is not and delivers nothing (P-194, P-222)', async (t) => {
  const names = Array.from({ length: 101 }, () => fresh('many-'));
  const client = await subscriber(t, names[0]);
  const { status } = await refusal(world.backend.post({
    path: '/events', body: { name: 'too-many', channels: names, data: '1' } }));
  assert.equal(status, 400);
  await world.backend.trigger(names.slice(0, 100), 'hundred', { n: 1 });
  await client.next('hundred');
  assert.ok(!client.frames.events().includes('too-many'));
});

test('a batch of ten is accepted, of eleven is not (P-204)', async (t) => {
  const name = fresh('batch-');
  const client = await subscriber(t, name);
  const batch = (n) => Array.from({ length: n }, (_, i) => ({ channel: name, name: `event-${i}`, data: { i } }));
  const response = await world.backend.triggerBatch(batch(10));
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '{}');
  await client.next('event-9');
  const delivered = client.frames.events().filter((event) => event.startsWith('event-'));
  assert.deepEqual(delivered, batch(10).map((item) => item.name));

  const { status, body } = await refusal(world.backend.triggerBatch(batch(11)));
  assert.deepEqual([status, body], [400, 'Batch too large (11 > 10)\n']);
});

test('a batch with one info item is answered by an aligned array (P-205, P-207)', async (t) => {
  const [room, plain] = [fresh('presence-batch'), fresh('batch-')];
  const left = await subscriber(t, plain);
  await subscriber(t, room, '1');
  const response = await world.backend.triggerBatch([
    { channel: plain, name: 'skipped', data: '1', socket_id: left.socketId },
    { channel: room, name: 'counted', data: '2', info: 'user_count' },
    { channel: plain, name: 'seen', data: '3' },
  ]);
  assert.deepEqual(await response.json(), { batch: [{}, { user_count: 1 }, {}] });
  await left.next('seen');
  assert.ok(!left.frames.events().includes('skipped'));
});

test('a batch item with channels is refused and nothing of the batch delivered (P-206)', async (t) => {
  const name = fresh('batch-');
  const client = await subscriber(t, name);
  const { status, body } = await refusal(world.backend.post({ path: '/batch_events', body: { batch: [
    { channel: name, name: 'first', data: '1' }, { channels: [name], name: 'second', data: '2' }] } }));
  assert.deepEqual([status, body], [400, 'Missing required parameter: channel\n']);
  await world.backend.trigger(name, 'fence', {});
  await client.next('fence');
  assert.ok(!client.frames.events().includes('first'));
});

test('occupied channels are listed, with prefix and user count (P-208, P-209, P-161)', async (t) => {
  const prefix = fresh('presence-list');
  const listed = async (params) => (await (await world.backend.get({ path: '/channels', params })).json()).channels;
  assert.deepEqual(await listed({ filter_by_prefix: prefix }), {});

  const [first, second] = [`${prefix}-a`, `${prefix}-b`];
  await subscriber(t, first, '1');
  await subscriber(t, first, '2');
  const gone = await subscriber(t, second, '1');
  const user = world.backend.authenticateUser(gone.socketId, { id: 'listed' });
  gone.send({ event: 'pusher:signin', data: user });
  await gone.next('pusher:signin_success');
  await gone.subscribe('#server-to-user-listed');

  assert.deepEqual(await listed({ filter_by_prefix: prefix, info: 'user_count' }),
    { [first]: { user_count: 2 }, [second]: { user_count: 1 } });
  assert.deepEqual(await listed({ filter_by_prefix: second }), { [second]: {} });
  assert.ok(!Object.keys(await listed()).some((name) => name.startsWith('#')));
});

test('user_count without a presence prefix is refused (P-210)', async () => {
  const { status, body } = await refusal(world.backend.get({ path: '/channels', params: { info: 'user_count' } }));
  assert.equal(status, 400);
  assert.equal(body, 'user_count may only be requested for presence channels - '
    + 'please supply filter_by_prefix begining with presence-\n');
});

test('one channel tells its state (P-211, P-212, P-213)', async (t) => {
  const channel = async (name, info) =>
    (await world.backend.get({ path: `/channels/${name}`, params: info && { info } })).json();
  const [room, cache] = [fresh('presence-state'), fresh('presence-cache-state')];
  assert.deepEqual(await channel(room), { occupied: false });
  assert.deepEqual(await channel(room, 'user_count,subscription_count'),
    { occupied: false, user_count: 0, subscription_count: 0 });

  await subscriber(t, room, '1');
  await subscriber(t, room, '1');
  assert.deepEqual(await channel(room, 'user_count,subscription_count'),
    { occupied: true, user_count: 1, subscription_count: 2 });
  const { status, body } = await refusal(channel(fresh('plain-'), 'user_count'));
  assert.deepEqual([status, body],
    [400, 'Cannot retrieve the user count unless the channel is a presence channel\n']);

  assert.deepEqual(await channel(cache, 'cache'), { occupied: false, cache: null });
  await world.backend.trigger(cache, 'event', { x: 1 });
  const answer = await channel(cache, 'cache');
  assert.equal(answer.cache.data, '{"x":1}');
  assert.ok(Number.isInteger(answer.cache.ttl) && answer.cache.ttl > 1790 && answer.cache.ttl <= 1800);
});

test('the users of a presence channel are listed once each, as strings (P-214, P-103)', async (t) => {
  const users = async (name) => (await world.backend.get({ path: `/channels/${name}/users` })).json();
  const room = fresh('presence-users');
  assert.deepEqual(await users(room), { users: [] });
  await subscriber(t, room, 10);
  await subscriber(t, room, '10');
  await subscriber(t, room, 'ann');
  const answer = await users(room);
  assert.deepEqual(answer.users.map((u) => u.id).sort(), ['10', 'ann']);
  const { status, body } = await refusal(users('plain'));
  assert.deepEqual([status, body], [400, 'Users can only be retrieved for presence channels\n']);
});

test('terminating an unknown user succeeds (P-216)', async () => {
  const response = await world.backend.terminateUserConnections('nobody-at-all');
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '{}');
});

test('the size of event data is limited (P-196)', async (t) => {
  const name = fresh('size-');
  const client = await subscriber(t, name);
  await world.backend.trigger(name, 'fits', 'x'.repeat(10_240));
  assert.equal((await client.next('fits')).data.length, 10_240);
  const { status, body } = await refusal(world.backend.trigger(name, 'large', 'x'.repeat(10_241)));
  assert.deepEqual([status, body], [413, 'The data content of this event exceeds the allowed maximum (10240 bytes).\n']);
});

test('malformed requests get the documented refusal (P-193, P-197, P-198, P-199, P-200, P-219)', async () => {
  const cases = [
    [{ channel: 'a', data: '1' }, 'Missing required parameter: name'],
    [{ name: 'e', channel: 'a' }, 'Missing required parameter: data'],
    [{ name: 'e', data: '1' }, 'Missing required parameter: channel'],
    [{ name: 'e', data: '1', channels: [] }, 'Missing required parameter: channel'],
    [{ name: 7, data: '1', channel: 'a' }, 'Expected name parameter to be a string'],
    [{ name: 'n'.repeat(201), data: '1', channel: 'a' }, 'Event name too long (201 > 200)'],
    [{ name: 'pusher:x', data: '1', channel: 'a' }, "The 'pusher' namespace is reserved for internal usage"],
    [{ name: 'e', data: '1', channel: 'a b' }, 'Invalid channel name a b'],
    [{ name: 'e', data: '1', channel: 'a', socket_id: '1:2' }, 'Invalid socket_id'],
  ];
  for (const [event, message] of cases) {
    const { status, body } = await refusal(world.backend.post({ path: '/events', body: event }));
    assert.deepEqual([status, body], [400, `${message}\n`], JSON.stringify(event).slice(0, 80));
  }
  await world.backend.trigger('a', 'e', '1', { socket_id: '1.2' });
});

test('nulls count as absent (P-191)', async (t) => {
  const name = fresh('null-');
  const client = await subscriber(t, name);
  const response = await world.backend.post({
    path: '/events', body: { name: 'e', channel: name, data: '1', socket_id: null, info: null } });
  assert.equal(await response.text(), '{}');
  await client.next('e');
});

test('data that is no string is delivered as its JSON text (P-201)', async (t) => {
  const name = fresh('object-');
  const client = await subscriber(t, name);
  await world.backend.post({ path: '/events', body: { name: 'e', channel: name, data: { a: [1, 'x'] } } });
  assert.deepEqual(JSON.parse((await client.next('e')).data), { a: [1, 'x'] });
});

test('wrong credentials are refused without giving anything away (P-183, P-220)', async () => {
  const unknownApp = await refusal(backendFor(world.server, { id: '999' }).trigger('a', 'e', {}));
  assert.deepEqual(unknownApp, { status: 404, body: 'Unknown app_id\n' });
  const foreignKey = await refusal(
    backendFor(world.server, { key: 'paused-key', secret: 'paused-secret' }).trigger('a', 'e', {}));
  assert.deepEqual(foreignKey, { status: 401, body: 'Unknown auth_key\n' });
  const disabled = await refusal(
    backendFor(world.server, { id: '1002', key: 'paused-key', secret: 'paused-secret' }).trigger('a', 'e', {}));
  assert.deepEqual(disabled, { status: 403, body: 'App disabled\n' });

  const forged = await refusal(backendFor(world.server, { secret: 'guessed' }).trigger('a', 'e', {}));
  assert.equal(forged.status, 401);
  assert.match(forged.body, /^Invalid signature.*\n$/);
  assert.ok(!forged.body.includes('app-secret'));
});

test('a user is terminated by id with characters that need escaping (P-186)', async (t) => {
  const client = await open(t, world.server);
  const id = 'name@host=1,2;3';
  client.send({ event: 'pusher:signin', data: world.backend.authenticateUser(client.socketId, { id }) });
  await client.next('pusher:signin_success');
  const escaped = encodeURIComponent(id);
  const response = await world.backend.post({ path: `/users/${escaped}/terminate_connections`, body: {} });
  assert.equal(response.status, 200);
  assert.equal((await client.end()).code, 4009);
});
