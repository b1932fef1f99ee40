// Everything that the server can tell, in single requests and in batches, against the official Node library and against
// the rules of libraries that do not run here.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { arrives, raiseEverything } from '../lib/everything.mjs';
import { foreignParsers } from '../lib/foreign-parsers.mjs';
import { app } from '../lib/server.mjs';
import { everyEvent, startWorld } from '../lib/world.mjs';

const paths = ['/hook', '/batched'];

let world;
let raised;
before(async () => {
  world = await startWorld({
    shape: (base, url) => [{ ...base, webhooks: [
      { url: `${url}/hook`, events: everyEvent },
      { url: `${url}/batched`, events: everyEvent, batching: true },
    ] }],
  });
  raised = await raiseEverything({ after }, world, paths);
});
after(() => world?.close());

test('the Node library accepts everything that is sent (P-224, P-226, P-237)', () => {
  const { items } = world.hooks.deliveries;
  assert.deepEqual(items.filter((d) => !d.valid).map((d) => d.body), []);
  assert.ok(items.filter((d) => d.path === '/hook').every((d) => d.payload.events.length === 1));
  assert.ok(items.some((d) => d.path === '/batched' && d.payload.events.length > 10));
});

for (const path of paths) {
  test(`nothing is missing at ${path} and every text is what the client sent (P-231, P-233)`, () => {
    const { channels, sent, ciphertext } = raised;
    const events = Object.values(channels).flatMap((channel) => world.hooks.of(channel, path));
    assert.deepEqual([...new Set(events.map((e) => e.name))].sort(), [...everyEvent].sort());

    const said = world.hooks.of(channels.private, path).filter((e) => e.name === 'client_event');
    const lone = said.findIndex((e) => e.event === 'client-lone');
    assert.equal(said.splice(lone, 1)[0].data, 'a\ufffdb', 'what has no UTF-8 is replaced');
    assert.deepEqual(said.map((e) => [e.event, e.data]), sent.map(({ event, data }) => [event, arrives(data)]));
    const [secret] = world.hooks.of(channels.encrypted, path).filter((e) => e.name === 'client_event');
    assert.equal(secret.data, ciphertext);
    assert.deepEqual(world.hooks.of(channels.presence, path).map((e) => [e.name, e.user_id]), [
      ['channel_occupied', undefined], ['member_added', 'Zoë 😀 "7"'], ['client_event', 'Zoë 😀 "7"'],
      ['member_removed', 'Zoë 😀 "7"'], ['channel_vacated', undefined]]);
    for (const channel of [channels.cache, channels.encryptedCache, channels.presenceCache]) {
      assert.ok(world.hooks.of(channel, path).some((e) => e.name === 'cache_miss'), channel);
    }
    assert.deepEqual(world.hooks.of(channels.longest, path).map((e) => e.name).filter((n) => n.startsWith('channel_')),
      ['channel_occupied', 'channel_vacated']);
  });
}

for (const [library, accept] of Object.entries(foreignParsers)) {
  test(`everything passes the checks of the ${library} library (P-224, P-226)`, () => {
    for (const delivery of world.hooks.deliveries.items) {
      accept(delivery, app.keys[0]);
    }
  });
}
