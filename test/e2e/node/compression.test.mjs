// permessage-deflate: the ws library and Chromium, both of which offer it by themselves, on an app that compresses.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { authority, listen } from '../lib/backend.mjs';
import { files, launch, openPage } from '../lib/browser.mjs';
import { open } from '../lib/raw.mjs';
import { app } from '../lib/server.mjs';
import { DEADLINE } from '../lib/wait.mjs';
import { fresh, startWorld } from '../lib/world.mjs';

const quiet = { ...app, id: '1002', keys: [{ key: 'plain-key', secret: 'plain-secret' }] };

let world;
before(async () => {
  world = await startWorld({ shape: (usual) => [{ ...usual, subscription_count: false, compression: true }, quiet] });
});
after(() => world?.close());

/** A text of this many characters that shrinks to a fraction. */
const prose = (size) => 'The quick brown fox jumps over the lazy dog. '.repeat(size / 40 + 1).slice(0, size);

/** A ws client on a private channel; bytes() is what has come over the network since it was last asked. */
async function listener(t, channel, options) {
  const client = await open(t, world.server, options);
  await client.subscribe(channel, { auth: world.backend.authorizeChannel(client.socketId, channel).auth });
  let before = client.socket._socket.bytesRead;
  client.bytes = () => {
    const since = client.socket._socket.bytesRead - before;
    before += since;
    return since;
  };
  return client;
}

test('ws: long events come compressed, short ones and those without an offer plain', async (t) => {
  const channel = fresh('private-wire');
  const offering = await listener(t, channel);
  const refusing = await listener(t, channel, { perMessageDeflate: false });
  assert.equal(offering.upgrade.headers['sec-websocket-extensions'],
    'permessage-deflate; client_no_context_takeover; server_no_context_takeover');
  assert.equal(offering.socket.extensions, 'permessage-deflate');
  assert.equal(refusing.upgrade.headers['sec-websocket-extensions'], undefined);
  for (const size of [10, 100, 1000, 9000, 1000]) {
    await world.backend.trigger(channel, 'event', { text: prose(size) });
    for (const client of [offering, refusing]) {
      assert.equal(JSON.parse((await client.next('event')).data).text, prose(size));
    }
    assert.equal(offering.texts.at(-1), refusing.texts.at(-1));
    const [compressed, plain] = [offering.bytes(), refusing.bytes()];
    assert.ok(plain > size, `${plain} bytes for a text of ${size}`);
    assert.ok(size < 500 ? compressed === plain : compressed < plain / 2, `${compressed} bytes instead of ${plain}`);
  }
});

test('ws: what a client compresses is understood', async (t) => {
  const channel = fresh('private-wire');
  const offering = await listener(t, channel, { perMessageDeflate: { threshold: 0 } });
  const refusing = await listener(t, channel, { perMessageDeflate: false });
  for (const [from, to] of [[offering, refusing], [refusing, offering]]) {
    for (const size of [1, 700, 8000]) {
      from.send({ event: 'client-said', channel, data: { text: prose(size) } });
      assert.equal(JSON.parse((await to.next('client-said')).data).text, prose(size));
    }
    await from.alive();
  }
});

test('ws: an app without compression accepts no offer', async (t) => {
  const client = await open(t, world.server, { key: 'plain-key' });
  assert.equal(client.upgrade.headers['sec-websocket-extensions'], undefined);
  assert.equal(client.socket.extensions, '');
});

test('Chromium: pusher-js 8 with compressed events in both directions', async (t) => {
  const here = (path) => fileURLToPath(new URL(`../browser/${path}`, import.meta.url));
  const webBuild = createRequire(import.meta.url).resolve('pusher-js-8/dist/web/pusher-with-encryption.min.js');
  const site = await listen(files(
    { '/': here('index.html'), '/page.js': here('page.js'), '/pusher.js': webBuild }, authority(world.backend)));
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());
  const { page, problems } = await openPage(t, browser, site.url);
  await page.evaluate((options) => window.connect(options),
    { key: world.key, port: world.server.port, user: { id: 'ann', user_info: {} } });
  await page.waitForFunction(() => window.pusher.connection.state === 'connected', null, { timeout: DEADLINE });
  const seen = (channel, event, count = 1) => page.waitForFunction(
    ([c, e, n]) => window.record.events.filter((entry) => entry.channel === c && entry.event === e)[n - 1],
    [channel, event, count], { timeout: DEADLINE }).then(async (found) => (await found.jsonValue()).data);

  const channel = fresh('private-browser');
  const other = await listener(t, channel);
  await page.evaluate((name) => window.subscribe(name), channel);
  await seen(channel, 'pusher:subscription_succeeded');
  const sizes = [10, 2000, 9000, 2000];
  for (const [i, size] of sizes.entries()) {
    await world.backend.trigger(channel, 'event', { text: `${i} ü 😀 ${prose(size)}` });
    assert.deepEqual(await seen(channel, 'event', i + 1), { text: `${i} ü 😀 ${prose(size)}` });
    await page.evaluate(([name, text]) => window.pusher.channel(name).trigger('client-said', { text }), [channel, prose(size)]);
    assert.equal(JSON.parse((await other.next('client-said')).data).text, prose(size));
  }
  const extensions = await page.evaluate((url) => new Promise((resolve) => {
    const socket = new WebSocket(url);
    socket.onopen = () => resolve(socket.extensions);
  }), world.server.socketURL(`/app/${world.key}?protocol=7`));
  assert.match(extensions, /permessage-deflate/);
  assert.deepEqual(problems, []);
});
