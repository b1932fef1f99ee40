import assert from 'node:assert/strict';
import { test } from 'node:test';

import { connect, generations } from '../lib/clients.mjs';
import { pusherJsSuite } from '../lib/pusherjs-suite.mjs';
import { configuration, Server } from '../lib/server.mjs';
import { fresh, startWorld } from '../lib/world.mjs';

pusherJsSuite(8);

test('pusher-js 8 does everything on one connection (P-248)', async (t) => {
  const world = await startWorld();
  t.after(() => world?.close());
  const ann = { id: 'ann', user_info: { name: 'Ann' } };
  const client = await connect(t, world, generations[8], { user: ann });
  await client.signIn('ann');

  const prefixes = ['', 'cache-', 'private-', 'private-cache-', 'private-encrypted-', 'private-encrypted-cache-',
    'presence-', 'presence-cache-'];
  for (const prefix of prefixes) {
    const name = fresh(`${prefix}all`);
    const { inbox } = await client.subscribe(name);
    await world.backend.trigger(name, 'event', { prefix });
    assert.deepEqual((await inbox.take('event')).data, { prefix });
  }

  const peer = await connect(t, world, generations[8], { user: { id: 'bob' } });
  const name = fresh('presence-both');
  const [mine, theirs] = [await client.subscribe(name), await peer.subscribe(name)];
  mine.channel.trigger('client-ping', { n: 1 });
  assert.deepEqual((await theirs.inbox.take('client-ping')).data, { n: 1 });
  theirs.channel.trigger('client-pong', { n: 2 });
  assert.deepEqual((await mine.inbox.take('client-pong')).data, { n: 2 });
  assert.deepEqual(client.errors.items, []);
  assert.deepEqual(client.states, ['connecting', 'connected']);
});

test('pusher-js 8 comes back by itself to a server that was away (P-059)', async (t) => {
  const before = await Server.start(configuration());
  let running = before;
  t.after(() => running.stop());
  const client = await connect(t, { key: 'app-key', server: before, auth: {} }, generations[8]);
  const { inbox } = await client.subscribe('news');
  await before.stop();
  running = await Server.start(configuration({ listen: `127.0.0.1:${before.port}` }));
  // The library gives an attempt 15 s even when the connection was refused at once.
  await inbox.take('pusher:subscription_succeeded', 30_000);
  assert.equal(client.pusher.connection.state, 'connected');
});
