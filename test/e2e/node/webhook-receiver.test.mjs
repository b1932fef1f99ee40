// examples/webhook-receiver as it is, with the built server: its database, its page in Chromium, and its sudden end.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { listen } from '../lib/backend.mjs';
import { launch, openPage } from '../lib/browser.mjs';
import { open } from '../lib/raw.mjs';
import { DEADLINE, until, withDeadline } from '../lib/wait.mjs';
import { everyEvent, fresh, startWorld } from '../lib/world.mjs';

const example = fileURLToPath(new URL('../../../examples/webhook-receiver', import.meta.url));

let directory;
let ports;
let receiver;
let world;
let browser;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pipesocketd-receiver-'));
  await promisify(execFile)('go', ['build', '-buildvcs=false', '-o', join(directory, 'receiver'), '.'], { cwd: example });
  ports = [await freePort(), await freePort()];
  receiver = await start();
  world = await startWorld({
    shape: (base) => [{ ...base, webhooks: [{ url: `http://127.0.0.1:${ports[0]}/webhook`, events: everyEvent, batching: true }] }],
  });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await world?.close();
  await receiver?.end('SIGTERM');
  await rm(directory, { recursive: true, force: true });
});

async function freePort() {
  const probe = await listen(() => {});
  await probe.close();
  return Number(new URL(probe.url).port);
}

/** Runs the example on its ports and its database, which outlive it. */
async function start() {
  const [hooks, page] = ports.map((port) => `127.0.0.1:${port}`);
  const running = spawn('./receiver', ['-listen', hooks, '-page', page], { cwd: directory, env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'] });
  const started = { log: '' };
  running.stderr.setEncoding('utf8').on('data', (text) => {
    started.log += text;
  });
  const exited = new Promise((resolve) => running.once('close', (code, signal) => resolve({ code, signal })));
  const line = await withDeadline(new Promise((resolve) => running.stdout.setEncoding('utf8').once('data', resolve)), 'receiver');
  started.page = /page=(\S+)/.exec(line)[1];
  started.end = async (signal) => {
    running.kill(signal);
    const end = await exited;
    assert.equal(end.code, signal === 'SIGTERM' ? 0 : null, started.log);
  };
  return started;
}

/** The rows of the page for one channel, newest first: what, event, who, data. */
async function history(channel) {
  const text = await (await fetch(`${receiver.page}?channel=${encodeURIComponent(channel)}`)).text();
  return [...text.matchAll(/<tr>\s*<td>(.*?)\s*<td>(.*?)\s*<td>(.*?)\s*<td>(.*?)\s*<td>(.*?)\s*<td>(.*?)\s*(?=<tr>|<\/tbody>)/gs)]
    .map(([, , , name, event, who, data]) => ({ name, event, who, data }));
}

const subscribe = (client, channel) => client.subscribe(channel, world.backend.authorizeChannel(client.socketId, channel));

test('example receiver: what happens on channels is stored and shown as text (P-224)', async (t) => {
  const channel = fresh('private-shown');
  const client = await open(t, world.server);
  await subscribe(client, channel);
  client.send({ event: 'client-evil', channel, data: '<img src=x onerror="document.title=1"><script>document.title=2</script>' });
  await until(async () => (await history(channel)).some((row) => row.name === 'client_event'), 'the event on the page');

  const { page, foreign, problems } = await openPage(t, browser, receiver.page);
  const refused = [];
  page.on('console', (message) => refused.push(message.text()));
  await page.getByLabel('Channel').fill(channel);
  await page.getByRole('button', { name: 'Show' }).click();
  const row = page.locator('tbody tr').filter({ hasText: 'client-evil' });
  await row.waitFor({ timeout: DEADLINE });
  assert.match(await row.locator('code').textContent(), /^<img src=x .*<\/script>$/);
  assert.equal(await page.title(), 'Channel history');
  assert.equal(await page.evaluate('getComputedStyle(document.querySelector("code")).whiteSpace'), 'pre-wrap', 'the style sheet is loaded');
  assert.deepEqual({ foreign, problems, refused }, { foreign: [], problems: [], refused: [] });
});

test('example receiver: nothing is lost when it is killed, and nothing is stored twice (P-240)', async (t) => {
  const channel = fresh('private-killed');
  const client = await open(t, world.server);
  await subscribe(client, channel);
  for (let i = 0; i < 8; i += 1) {
    client.send({ event: `client-${i}`, channel, data: String(i) });
  }
  await client.alive();
  await receiver.end('SIGKILL');
  client.send({ event: 'client-8', channel, data: '8' });
  await client.alive();
  receiver = await start();
  const data = async () => (await history(channel)).filter((row) => row.name === 'client_event').map((row) => row.event).reverse();
  await until(async () => (await data()).length >= 9, 'every event on the page');
  assert.deepEqual(await data(), Array.from({ length: 9 }, (_, i) => `client-${i}`));
});
