// The example chat in two browser windows: its page and its backend, unmodified and from disk.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { listen } from '../lib/backend.mjs';
import { launch, openPage } from '../lib/browser.mjs';
import { DEADLINE, withDeadline } from '../lib/wait.mjs';
import { startWorld } from '../lib/world.mjs';

const example = fileURLToPath(new URL('../../../examples/chat', import.meta.url));
const pusherJs = dirname(createRequire(import.meta.url).resolve('pusher-js-8/package.json'));

let world;
let browser;
let site;
before(async () => {
  world = await startWorld();
  browser = await launch();
  site = await startExample();
});
after(async () => {
  await browser?.close();
  await site?.close();
  await world?.close();
});

/** A port that nobody listens on. */
async function freePort() {
  const probe = await listen(() => {});
  await probe.close();
  return Number(new URL(probe.url).port);
}

/** Runs a copy of the example beside the pusher-js that is installed here, so that nothing has to be installed there. */
async function startExample() {
  const directory = await mkdtemp(join(tmpdir(), 'pipesocketd-chat-'));
  await cp(example, directory, { recursive: true, filter: (source) => !source.includes('node_modules') });
  await mkdir(join(directory, 'node_modules'));
  await symlink(pusherJs, join(directory, 'node_modules', 'pusher-js'));
  const environment = { PATH: process.env.PATH, PORT: String(await freePort()), PIPESOCKETD_URL: world.server.publicURL };
  const backend = spawn(process.execPath, ['server.mjs'], { cwd: directory, env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve) => backend.once('close', resolve));
  const line = await withDeadline(new Promise((resolve) => backend.stdout.setEncoding('utf8').once('data', resolve)), 'chat backend');
  return {
    url: /http:\S+/.exec(line)[0],
    async close() {
      backend.kill();
      await exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Opens the page and joins under a name. */
async function visitor(t, name) {
  const { page, foreign, problems } = await openPage(t, browser, site.url);
  t.after(() => assert.deepEqual({ foreign, problems }, { foreign: [], problems: [] }));
  await page.getByLabel('What shall we call you?').fill(name);
  await page.getByRole('button', { name: 'Join' }).click();
  await page.locator('#status[data-state=connected]').waitFor({ timeout: DEADLINE });
  return page;
}

/** Waits until a part of the page says text. */
const says = (page, selector, text) => page.locator(selector).filter({ hasText: text }).waitFor({ timeout: DEADLINE });

test('example chat: two people see each other, talk, and see each other type (P-105, P-109, P-135, P-139)', async (t) => {
  const ann = await visitor(t, 'Ann');
  await says(ann, '#members', 'Ann (you)');
  const bob = await visitor(t, 'Bob <b>');
  for (const page of [ann, bob]) {
    await says(page, '#members', 'Ann');
    await says(page, '#members', 'Bob <b>');
  }

  await bob.getByPlaceholder('Write something').fill('Hello & <i>welcome</i>');
  await says(ann, '#typing', 'Bob <b> is typing');
  assert.equal(await bob.locator('#typing').textContent(), '');
  await bob.getByRole('button', { name: 'Send' }).click();
  await says(ann, '#messages', 'Hello & <i>welcome</i>');
  await says(bob, '#messages', 'Hello & <i>welcome</i>');

  await ann.getByPlaceholder('Write something').fill('Dinner is ready');
  await ann.getByRole('button', { name: 'Announce' }).click();
  await says(bob, '#notices', 'Dinner is ready');
  assert.equal(await bob.locator('#fault').textContent(), '');

  await bob.close();
  await ann.locator('#members').filter({ hasNotText: 'Bob' }).waitFor({ timeout: DEADLINE });
});
