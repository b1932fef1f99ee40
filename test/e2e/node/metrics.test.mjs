// What Prometheus reads, and that it tells the truth about the apps.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { parseExposition } from '../lib/exposition.mjs';
import { dial, open } from '../lib/raw.mjs';
import { app } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { fresh, startWorld } from '../lib/world.mjs';

let world;
before(async () => {
  world = await startWorld({ shape: () => [app, { id: '1002', keys: [{ key: 'other-key', secret: 'other-secret' }] }] });
});
after(() => world?.close());

async function scrape() {
  const response = await fetch(`${world.server.opsURL}/metrics`);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  return parseExposition(await response.text());
}

/** The value of one series of the usual app. */
function value(families, name, labels = { app: app.id }) {
  const family = families.get(name);
  const matches = (s) => Object.entries(labels).every(([label, text]) => s.labels[label] === text);
  const sample = family?.samples.find(matches);
  assert.ok(sample, `${name} has no sample for ${JSON.stringify(labels)}`);
  return sample.value;
}

test('the exposition is well formed and describes the process', async () => {
  const families = await scrape();
  for (const name of ['go_goroutines', 'process_resident_memory_bytes', 'process_open_fds', 'pipesocketd_build_info']) {
    assert.ok(families.get(name)?.samples.length > 0, `${name} is missing`);
  }
  const own = [...families.keys()].filter((name) => name.startsWith('pipesocketd_'));
  for (const name of own.filter((n) => families.get(n).type === 'counter')) {
    assert.match(name, /_total$/);
  }
});

test('every configured app has its series from the start', async () => {
  const families = await scrape();
  for (const name of ['pipesocketd_connections', 'pipesocketd_connections_opened_total', 'pipesocketd_events_published_total']) {
    const apps = families.get(name)?.samples.map((s) => s.labels.app).sort();
    assert.deepEqual(apps, ['1001', '1002'], name);
  }
});

test('the gauges of an app follow its connections, subscriptions and channels', async (t) => {
  const before = await scrape();
  const gauges = ['pipesocketd_connections', 'pipesocketd_subscriptions', 'pipesocketd_channels_occupied'];
  const now = (families) => gauges.map((name) => value(families, name));
  const base = now(before);

  const name = fresh('gauge-');
  const clients = [await open(t, world.server), await open(t, world.server), await open(t, world.server)];
  for (const client of clients) {
    await client.subscribe(name);
  }
  await clients[0].subscribe(fresh('gauge-'));
  assert.deepEqual(now(await scrape()), [base[0] + 3, base[1] + 4, base[2] + 2]);
  assert.equal(value(await scrape(), 'pipesocketd_connections', { app: '1002' }), 0);

  for (const client of clients) {
    client.socket.close();
    await client.end();
  }
  await until(async () => String(now(await scrape())) === String(base), 'gauges back to where they began');
});

test('the counters of an app follow its events', async (t) => {
  const before = await scrape();
  const grown = (families, name, labels) => value(families, name, labels) - value(before, name, labels);
  const name = fresh('private-counter');
  const [a, b] = [await open(t, world.server), await open(t, world.server)];
  for (const client of [a, b]) {
    await client.subscribe(name, world.backend.authorizeChannel(client.socketId, name));
  }
  await world.backend.trigger(name, 'event', { n: 1 });
  await Promise.all([a.next('event'), b.next('event')]);
  a.send({ event: 'client-event', channel: name, data: {} });
  await b.next('client-event');
  a.send('no json');
  await a.next('pusher:error');

  const families = await scrape();
  assert.equal(grown(families, 'pipesocketd_connections_opened_total'), 2);
  assert.equal(grown(families, 'pipesocketd_events_published_total'), 1);
  assert.equal(grown(families, 'pipesocketd_client_events_total'), 1);
  assert.ok(grown(families, 'pipesocketd_deliveries_total') >= 3);
  assert.equal(grown(families, 'pipesocketd_messages_received_total'), 4);
  const refused = families.get('pipesocketd_messages_refused_total').samples;
  const total = (samples) => samples.filter((s) => s.labels.app === app.id).reduce((sum, s) => sum + s.value, 0);
  assert.equal(total(refused) - total(before.get('pipesocketd_messages_refused_total').samples), 1);
});

test('connections of all sorts leave no goroutine and no file descriptor behind', async (t) => {
  const settled = async () => {
    const families = await scrape();
    return { goroutines: value(families, 'go_goroutines', {}), files: value(families, 'process_open_fds', {}) };
  };
  // The first connections of a process start what stays for good.
  const warm = await open(t, world.server);
  warm.socket.close();
  await warm.end();
  const base = await until(async () => {
    const [first, second] = [await settled(), await settled()];
    return first.goroutines === second.goroutines && first.files === second.files && first;
  }, 'quiet process');

  const clients = await Promise.all(Array.from({ length: 100 }, () => open(t, world.server)));
  const refused = Array.from({ length: 50 }, () => dial(t, world.server, { key: 'nobody' }));
  await Promise.all(refused.map((client) => client.end()));
  clients.forEach((client, i) => {
    if (i % 2 === 0) {
      client.socket.terminate();
      return;
    }
    client.socket.close();
  });
  await Promise.all(clients.map((client) => client.end()));
  await until(async () => {
    const { goroutines, files } = await settled();
    return goroutines <= base.goroutines + 5 && files <= base.files + 5;
  }, `return to ${JSON.stringify(base)}`, 30_000);
});
