// Starting, readiness, and leaving in good order.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { dial, open } from '../lib/raw.mjs';
import { app, configuration, Server } from '../lib/server.mjs';
import { WebhookReceiver } from '../lib/webhooks.mjs';
import { backendFor } from '../lib/backend.mjs';

/** A server of the test's own, killed at its end if it still runs then. */
async function start(t, changes) {
  const server = await Server.start(configuration(changes));
  t.after(() => server.kill());
  return server;
}

test('one line says where it listens, and the probes answer', async (t) => {
  const server = await start(t);
  for (const base of [server.publicURL, server.opsURL]) {
    for (const path of ['/live', '/ready']) {
      const answer = await fetch(base + path);
      assert.equal(answer.status, 200, base + path);
      await answer.arrayBuffer();
    }
  }
  assert.equal((await fetch(`${server.publicURL}/metrics`)).status, 404);
  await server.stop();
  assert.equal(server.stdout.split('\n').filter((line) => line.includes('ready')).length, 1);
});

test('a graceful stop closes every connection with 4200, protocol 5 with the error first (P-059, P-023)', async (t) => {
  const server = await start(t);
  const clients = await Promise.all(Array.from({ length: 20 }, () => open(t, server)));
  const old = await open(t, server, { query: 'protocol=5&client=js&version=3.1' });
  await server.stop();
  const reason = 'Please reconnect immediately';
  for (const client of [...clients, old]) {
    assert.deepEqual(await client.end(), { code: 4200, reason });
  }
  assert.ok(clients.every((client) => client.frames.items.length === 1));
  assert.deepEqual(old.frames.items[1], { event: 'pusher:error', data: { code: 4200, message: reason } });
});

test('pending webhooks are delivered before the process ends', async (t) => {
  const hooks = await WebhookReceiver.start();
  t.after(() => hooks.close());
  const events = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed'];
  const server = await start(t, {
    webhooks: { allow_addresses: ['127.0.0.0/8'], grace_delay: '20s' },
    apps: [{ ...app, webhooks: [{ url: `${hooks.url}/hook`, events }] }],
  });
  const backend = backendFor(server);
  hooks.trust(backend);
  const client = await open(t, server);
  await client.subscribe('presence-last', backend.authorizeChannel(client.socketId, 'presence-last', { user_id: '1' }));
  await server.stop();
  assert.deepEqual(hooks.of('presence-last').map((e) => e.name),
    ['channel_occupied', 'member_added', 'member_removed', 'channel_vacated']);
});

test('error_before_close always tells protocol 7 as well (P-025)', async (t) => {
  const server = await start(t, { error_before_close: 'always' });
  const client = dial(t, server, { key: 'nobody' });
  const message = 'Application does not exist';
  assert.deepEqual(await client.end(), { code: 4001, reason: message });
  assert.deepEqual(client.frames.items, [{ event: 'pusher:error', data: { code: 4001, message } }]);
  await server.stop();
});

test('with a mount prefix everything lives below it (P-004, P-185)', async (t) => {
  const server = await start(t, { mount: '/realtime' });
  const client = await open(t, server, { path: '/realtime/app/app-key?protocol=7' });
  await client.subscribe('mounted');
  assert.equal((await dial(t, server, { path: '/app/app-key?protocol=7' }).end()).code, 4005);

  const backend = backendFor(server);
  backend.config.prefixPath = (path) => `/realtime/apps/1001${path}`;
  await backend.trigger('mounted', 'signed-with-prefix', {});
  await client.next('signed-with-prefix');
  await server.stop();
});

test('a connection that answers control pings only stays (P-042, P-043)', async (t) => {
  const server = await start(t, { apps: [{ ...app, activity_timeout: '1s', pong_timeout: '1s' }] });
  const client = await open(t, server, { query: 'protocol=5&client=js&version=3.1' });
  assert.equal(client.handshake.activity_timeout, 1);
  for (const _ of Array(4)) {
    await new Promise((resolve) => client.socket.once('ping', resolve));
  }
  await client.alive();
  assert.deepEqual(client.frames.events(), ['pusher:connection_established', 'pusher:pong']);
  await server.stop();
});

test('a connection that answers nothing is closed with 4201 (P-044, P-045)', async (t) => {
  const server = await start(t, { apps: [{ ...app, activity_timeout: '1s', pong_timeout: '1s' }] });
  const client = await open(t, server, { query: 'protocol=5&client=js&version=3.1', autoPong: false });
  const message = 'Pong reply not received';
  assert.deepEqual(await client.end(), { code: 4201, reason: message });
  assert.deepEqual(client.frames.items[1], { event: 'pusher:error', data: { code: 4201, message } });
  await server.stop();
});
