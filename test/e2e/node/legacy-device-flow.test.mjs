// The flow of the devices that this server was first built for: protocol 5, data parsed twice, client events as objects.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';

import { dial } from '../lib/raw.mjs';
import { withDeadline } from '../lib/wait.mjs';
import { startWorld } from '../lib/world.mjs';

const key = 'app-key';
const secret = 'app-secret';
const sign = (text) => createHmac('sha256', secret).update(text).digest('hex');

/** A device as its firmware behaves. */
async function connectDevice(t, server) {
  const device = dial(t, server, { query: 'client=js&version=3.1&protocol=5' });
  await withDeadline(device.opened, 'open connection');
  const frame = await device.next('pusher:connection_established');
  assert.equal(device.texts.length, 1);
  assert.equal(typeof frame.data, 'string');
  const handshake = JSON.parse(frame.data);
  assert.deepEqual(Object.keys(handshake).sort(), ['activity_timeout', 'socket_id']);
  device.socketId = handshake.socket_id;
  return device;
}

const subscribe = (channel, auth) => ({ event: 'pusher:subscribe', data: { channel, ...(auth && { auth }) } });

const succeeded = (device, channel) => device.frames.take(
  (f) => f.event === 'pusher_internal:subscription_succeeded' && f.channel === channel);

async function subscribePrivate(device, channel) {
  device.send(subscribe(channel, `${key}:${sign(`${device.socketId}:${channel}`)}`));
  assert.equal((await succeeded(device, channel)).data, '{}');
}

test('legacy device flow (P-006, P-071, P-073, P-076, P-088, P-090, P-135, P-137, P-224, P-233)', async (t) => {
  const world = await startWorld();
  t.after(() => world?.close());
  const [device, other] = [await connectDevice(t, world.server), await connectDevice(t, world.server)];

  device.send(subscribe('news'));
  device.send(subscribe('alerts'));
  assert.equal((await succeeded(device, 'news')).data, '{}');
  assert.equal((await succeeded(device, 'alerts')).data, '{}');
  await world.backend.trigger('news', 'headline', { id: 1 });
  assert.deepEqual(JSON.parse((await device.next('headline')).data), { id: 1 });

  for (const channel of ['private-device-1', 'private-NewsFeed']) {
    await subscribePrivate(device, channel);
  }
  await subscribePrivate(other, 'private-NewsFeed');

  const wrong = 'private-not-mine';
  const forged = sign(`${device.socketId}:private-something-else`);
  device.send(subscribe(wrong, `${key}:${forged}`));
  const refused = await device.next('pusher:subscription_error');
  const message = `Invalid signature: Expected HMAC SHA256 hex digest of ${device.socketId}:${wrong}, but got ${forged}`;
  assert.equal(refused.channel, wrong);
  assert.deepEqual(JSON.parse(refused.data), { type: 'AuthError', error: message, status: 401 });
  assert.deepEqual((await device.next('pusher:error')).data, { code: null, message });

  const story = { title: 'Ünïcode', items: [1, 2, { deep: true }] };
  device.send({ event: 'client-NewsFeed', channel: 'private-NewsFeed', data: story });
  const received = await other.next('client-NewsFeed');
  assert.equal(received.channel, 'private-NewsFeed');
  assert.equal(typeof received.data, 'string');
  assert.deepEqual(JSON.parse(received.data), story);
  assert.ok(!('user_id' in received));

  const hook = await world.hooks.deliveries.take((d) => d.body.includes('client_event'));
  assert.ok(hook.valid);
  assert.equal(hook.headers['x-pusher-key'], key);
  assert.equal(hook.headers['x-pusher-signature'], sign(hook.body));
  const [event] = hook.payload.events;
  assert.deepEqual({ ...event, data: JSON.parse(event.data) }, { name: 'client_event', channel: 'private-NewsFeed',
    event: 'client-NewsFeed', data: story, socket_id: device.socketId });

  await world.backend.trigger('private-NewsFeed', 'fence', {});
  await device.next('fence');
  assert.ok(!device.frames.events().includes('client-NewsFeed'), 'the sender heard itself');
  await device.alive();
});
