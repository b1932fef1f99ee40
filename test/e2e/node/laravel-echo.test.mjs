// Laravel Echo over pusher-js 8, with both broadcasters that speak this protocol.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import Echo from 'laravel-echo';

import { generations, load } from '../lib/clients.mjs';
import { Inbox, once } from '../lib/wait.mjs';
import { fresh, startWorld } from '../lib/world.mjs';

let world;
before(async () => {
  world = await startWorld();
});
after(() => world?.close());

/** Options as an application's bootstrap file has them. */
function options(broadcaster, identity) {
  return {
    broadcaster,
    Pusher: load(generations[8]),
    key: world.key,
    wsHost: '127.0.0.1',
    wsPort: world.server.port,
    wssPort: world.server.port,
    forceTLS: false,
    enabledTransports: ['ws', 'wss'],
    ...(broadcaster === 'pusher' ? { cluster: 'mt1' } : {}),
    authEndpoint: `${world.auth.url}/channel-auth`,
    auth: { headers: {}, params: { user: JSON.stringify(identity.user ?? {}), mode: identity.mode ?? '' } },
    userAuthentication: { endpoint: `${world.auth.url}/user-auth`, headers: {},
      params: { user: JSON.stringify(identity.user ?? {}) } },
  };
}

async function echo(t, broadcaster, identity = {}) {
  const instance = new Echo(options(broadcaster, identity));
  t.after(() => instance.disconnect());
  const { connection } = instance.connector.pusher;
  if (connection.state !== 'connected') {
    await once(connection, 'connected');
  }
  return instance;
}

/** Resolves once Echo says that a channel is subscribed. */
const subscribed = (channel) => new Promise((resolve) => {
  channel.subscribed(resolve);
});

/** Records the calls of an Echo callback. */
function calls(register) {
  const inbox = new Inbox();
  register((data) => inbox.push({ event: 'call', data }));
  return async () => (await inbox.take('call')).data;
}

for (const broadcaster of ['pusher', 'reverb']) {
  test(`Laravel Echo (${broadcaster}) listens on a public channel, with and without its namespace`, async (t) => {
    const app = await echo(t, broadcaster);
    assert.equal(app.connectionStatus(), 'connected');
    assert.match(app.socketId(), /^[0-9]+\.[0-9]+$/);
    const name = fresh('orders-');
    const channel = app.channel(name);
    const shipped = calls((callback) => channel.listen('OrderShipped', callback));
    const plain = calls((callback) => channel.listen('.order.packed', callback));
    await subscribed(channel);

    await world.backend.trigger(name, 'App\\Events\\OrderShipped', { id: 7, note: 'ä' });
    await world.backend.trigger(name, 'order.packed', { id: 8 });
    assert.deepEqual(await shipped(), { id: 7, note: 'ä' });
    assert.deepEqual(await plain(), { id: 8 });
  });

  test(`Laravel Echo (${broadcaster}) does not hear its own broadcast (P-192)`, async (t) => {
    const [app, other] = [await echo(t, broadcaster), await echo(t, broadcaster)];
    const name = fresh('orders-');
    const heard = [];
    const fence = calls((callback) => app.channel(name).listen('.fence', callback)
      .listen('.toOthers', (data) => heard.push(data)));
    const theirs = calls((callback) => other.channel(name).listen('.toOthers', callback));
    await Promise.all([subscribed(app.channel(name)), subscribed(other.channel(name))]);

    await world.backend.trigger(name, 'toOthers', { n: 1 }, { socket_id: app.socketId() });
    await world.backend.trigger(name, 'fence', {});
    assert.deepEqual(await theirs(), { n: 1 });
    await fence();
    assert.deepEqual(heard, []);
  });

  test(`Laravel Echo (${broadcaster}) whispers on a private channel (P-135)`, async (t) => {
    const [a, b] = [await echo(t, broadcaster), await echo(t, broadcaster)];
    const name = fresh('chat.');
    const [left, right] = [a.private(name), b.private(name)];
    const echoed = [];
    left.listenForWhisper('typing', (data) => echoed.push(data));
    const typing = calls((callback) => right.listenForWhisper('typing', callback));
    const back = calls((callback) => left.listenForWhisper('seen', callback));
    await Promise.all([subscribed(left), subscribed(right)]);

    left.whisper('typing', { name: 'Ann' });
    assert.deepEqual(await typing(), { name: 'Ann' });
    right.whisper('seen', { at: 1 });
    assert.deepEqual(await back(), { at: 1 });
    assert.deepEqual(echoed, []);
  });

  test(`Laravel Echo (${broadcaster}) joins a presence channel (P-099, P-105, P-109)`, async (t) => {
    const a = await echo(t, broadcaster, { user: { id: '1', user_info: { id: 1, name: 'Ann' } } });
    const name = fresh('room.');
    const room = a.join(name);
    const [here, joining, leaving] = ['here', 'joining', 'leaving'].map((kind) => calls((cb) => room[kind](cb)));
    assert.deepEqual(await here(), [{ id: 1, name: 'Ann' }]);

    const b = await echo(t, broadcaster, { user: { id: '2', user_info: { id: 2, name: 'Bob' } } });
    const theirs = b.join(name);
    const both = await calls((cb) => theirs.here(cb))();
    assert.deepEqual(both.sort((x, y) => x.id - y.id), [{ id: 1, name: 'Ann' }, { id: 2, name: 'Bob' }]);
    assert.deepEqual(await joining(), { id: 2, name: 'Bob' });

    const typing = calls((cb) => room.listenForWhisper('typing', cb));
    theirs.whisper('typing', { by: 2 });
    assert.deepEqual(await typing(), { by: 2 });
    b.leave(name);
    assert.deepEqual(await leaving(), { id: 2, name: 'Bob' });
  });

  test(`Laravel Echo (${broadcaster}) calls the error callback when the server refuses (P-088, P-090)`, async (t) => {
    const app = await echo(t, broadcaster, { mode: 'forge', user: { id: '1' } });
    // Both listen before either is waited for: the refusals may arrive together.
    const refusals = [app.private(fresh('secret.')), app.join(fresh('room.'))]
      .map((channel) => calls((callback) => channel.error(callback)));
    for (const refused of refusals) {
      const error = await refused();
      assert.equal(error.type, 'AuthError');
      assert.equal(error.status, 401);
    }
    await subscribed(app.channel(fresh('still-open-')));
    assert.equal(app.connectionStatus(), 'connected');
  });

  test(`Laravel Echo (${broadcaster}) decrypts an encrypted channel`, async (t) => {
    const app = await echo(t, broadcaster);
    const name = fresh('letters.');
    const channel = app.encryptedPrivate(name);
    const letter = calls((callback) => channel.listen('.letter', callback));
    await subscribed(channel);
    await world.backend.trigger(`private-encrypted-${name}`, 'letter', { text: 'geheim' });
    assert.deepEqual(await letter(), { text: 'geheim' });
  });

  test(`Laravel Echo (${broadcaster}) receives notifications and leaves a channel`, async (t) => {
    const app = await echo(t, broadcaster);
    const name = fresh('App.Models.User.');
    const channel = app.private(name);
    const notified = calls((callback) => channel.notification(callback));
    await subscribed(channel);
    await world.backend.trigger(`private-${name}`, 'Illuminate\\Notifications\\Events\\BroadcastNotificationCreated',
      { type: 'Paid' });
    assert.deepEqual(await notified(), { type: 'Paid' });

    app.leave(name);
    await subscribed(app.channel(fresh('processed-')));
    const answer = await world.backend.get({ path: `/channels/private-${name}` });
    assert.deepEqual(await answer.json(), { occupied: false });
  });

  test(`Laravel Echo (${broadcaster}) signs its user in (P-153)`, async (t) => {
    const id = fresh('user-');
    const app = await echo(t, broadcaster, { user: { id } });
    const { pusher } = app.connector;
    const signedIn = once(pusher, 'pusher:signin_success');
    pusher.signin();
    assert.deepEqual(JSON.parse((await signedIn).user_data), { id });
  });
}
