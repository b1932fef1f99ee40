// The web build of pusher-js 8 in a real Chromium, from a page served over loopback.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { authority, listen } from '../lib/backend.mjs';
import { files, launch, openPage } from '../lib/browser.mjs';
import { DEADLINE } from '../lib/wait.mjs';
import { fresh, startWorld } from '../lib/world.mjs';

const here = (path) => fileURLToPath(new URL(`../browser/${path}`, import.meta.url));
const webBuild = createRequire(import.meta.url).resolve('pusher-js-8/dist/web/pusher-with-encryption.min.js');

let world;
let browser;
let site;
before(async () => {
  world = await startWorld();
  browser = await launch();
  site = await listen(files(
    { '/': here('index.html'), '/page.js': here('page.js'), '/pusher.js': webBuild }, authority(world.backend)));
});
after(async () => {
  await browser?.close();
  await site?.close();
  await world?.close();
});

/** A browser page with one connected client. */
async function visitor(t, user, mode) {
  const { page, foreign, problems } = await openPage(t, browser, site.url);
  await page.evaluate((options) => window.connect(options), { key: world.key, port: world.server.port, user, mode });
  await page.waitForFunction(() => window.pusher.connection.state === 'connected', null, { timeout: DEADLINE });
  t.after(() => assert.deepEqual({ foreign, problems }, { foreign: [], problems: [] }));
  return page;
}

/** Waits until the page has seen an event on a channel, and resolves with its data. */
async function seen(page, channel, event) {
  const found = await page.waitForFunction(
    ([c, e]) => window.record.events.find((entry) => entry.channel === c && entry.event === e), [channel, event],
    { timeout: DEADLINE });
  return (await found.jsonValue()).data;
}

async function subscribe(page, channel) {
  await page.evaluate((name) => window.subscribe(name), channel);
  await seen(page, channel, 'pusher:subscription_succeeded');
}

test('Chromium: every channel type delivers (P-248, P-032)', async (t) => {
  const page = await visitor(t, { id: 'ann', user_info: { name: 'Ann' } });
  assert.deepEqual(await page.evaluate(() => window.record.states), ['connecting', 'connected']);
  const prefixes = ['', 'cache-', 'private-', 'private-cache-', 'private-encrypted-', 'private-encrypted-cache-',
    'presence-', 'presence-cache-'];
  for (const prefix of prefixes) {
    const name = fresh(`${prefix}browser`);
    await subscribe(page, name);
    await world.backend.trigger(name, 'event', { prefix, text: '\u2028 <b>ü</b> 😀' });
    assert.deepEqual(await seen(page, name, 'event'), { prefix, text: '\u2028 <b>ü</b> 😀' });
    if (prefix.includes('cache-')) {
      await seen(page, name, 'pusher:cache_miss');
    }
  }
});

test('Chromium: two pages see each other and exchange client events (P-105, P-109, P-135)', async (t) => {
  const ann = await visitor(t, { id: 'ann', user_info: { name: 'Ann' } });
  const bob = await visitor(t, { id: 'bob', user_info: { name: 'Bob' } });
  const room = fresh('presence-pages');
  await subscribe(ann, room);
  await subscribe(bob, room);
  assert.deepEqual(await seen(ann, room, 'pusher:member_added'), { id: 'bob', info: { name: 'Bob' } });
  assert.deepEqual(await ann.evaluate((name) => window.members(name), room), ['ann', 'bob']);
  assert.deepEqual(await bob.evaluate((name) => window.members(name), room), ['ann', 'bob']);

  await ann.evaluate((name) => window.pusher.channel(name).trigger('client-typing', { on: true }), room);
  assert.deepEqual(await seen(bob, room, 'client-typing'), { on: true });
  await bob.evaluate((name) => window.pusher.channel(name).trigger('client-answer', { text: 'hi' }), room);
  assert.deepEqual(await seen(ann, room, 'client-answer'), { text: 'hi' });
  assert.ok(!await ann.evaluate(() => window.record.events.some((e) => e.event === 'client-typing')));

  await bob.close();
  assert.deepEqual(await seen(ann, room, 'pusher:member_removed'), { id: 'bob', info: { name: 'Bob' } });
});

test('Chromium: a page signs in and receives what is sent to its user (P-153, P-158, P-160)', async (t) => {
  const id = fresh('user-');
  const page = await visitor(t, { id });
  await page.evaluate(() => window.pusher.signin());
  await page.waitForFunction(() => window.pusher.user.serverToUserChannel?.subscribed, null, { timeout: DEADLINE });
  await world.backend.sendToUser(id, 'mail', { n: 1 });
  const mail = await page.waitForFunction(() => window.record.user.find((e) => e.event === 'mail'), null,
    { timeout: DEADLINE });
  assert.deepEqual((await mail.jsonValue()).data, { n: 1 });

  await world.backend.terminateUserConnections(id);
  await page.waitForFunction(() => window.pusher.connection.state === 'disconnected', null, { timeout: DEADLINE });
});

test('Chromium: a refused subscription reaches the page and leaves it connected (P-088, P-090)', async (t) => {
  const page = await visitor(t, { id: 'eve' }, 'forge');
  const name = fresh('private-refused');
  await page.evaluate((channel) => window.subscribe(channel), name);
  const error = await seen(page, name, 'pusher:subscription_error');
  assert.deepEqual([error.type, error.status], ['AuthError', 401]);
  await subscribe(page, fresh('public-after'));
  assert.deepEqual(await page.evaluate(() => window.record.states), ['connecting', 'connected']);
});
