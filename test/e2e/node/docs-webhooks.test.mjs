// The programs of docs/webhooks.md, as they are printed there, against what the server really sends. The one with the
// official Python library is run by more/.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { listen } from '../lib/backend.mjs';
import { arrives, raiseEverything } from '../lib/everything.mjs';
import { binary } from '../lib/server.mjs';
import { until } from '../lib/wait.mjs';
import { everyEvent, startWorld } from '../lib/world.mjs';

const page = await readFile(new URL('../../../docs/webhooks.md', import.meta.url), 'utf8');
const modules = fileURLToPath(new URL('../node_modules', import.meta.url));

/** The code block of this language whose first line is comment. */
function snippet(language, comment) {
  const blocks = [...page.matchAll(/```(\w+)\n(.*?)```/gs)].filter(([, l, text]) => l === language && text.startsWith(comment));
  assert.equal(blocks.length, 1, `one ${language} block begins with ${comment}`);
  return blocks[0][2];
}

const programs = [
  { file: 'receiver.mjs', language: 'js', comment: '// receiver.mjs', run: process.execPath, once: true },
  { file: 'library.mjs', language: 'js', comment: '// library.mjs', run: process.execPath, once: false },
  { file: 'receiver.py', language: 'python', comment: '# receiver.py', run: 'python3', once: true },
];

let directory;
let world;
let raised;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pipesocketd-docs-'));
  await symlink(modules, join(directory, 'node_modules'));
  await Promise.all(programs.map(start));
  world = await startWorld({
    shape: (base, url) => [{ ...base, webhooks: [
      { url: `${url}/hook`, events: everyEvent },
      ...programs.map(({ url: program }) => ({ url: program, events: everyEvent, batching: true })),
    ] }],
  });
  raised = await raiseEverything({ after }, world);
});
after(async () => {
  await world?.close();
  programs.forEach(({ process: running }) => running?.kill());
  await Promise.all(programs.map(({ exited }) => exited));
  await rm(directory, { recursive: true, force: true });
});

/** A port that nobody listens on. */
async function freePort() {
  const probe = await listen(() => {});
  await probe.close();
  return Number(new URL(probe.url).port);
}

/** Runs a program in the directory until the end of the tests and waits until it listens. */
async function start(program) {
  await writeFile(join(directory, program.file), snippet(program.language, program.comment));
  const port = await freePort();
  program.url = `http://127.0.0.1:${port}/`;
  program.output = '';
  program.process = spawn(program.run, [program.file], { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, PORT: String(port), PYTHONUTF8: '1', PYTHONDONTWRITEBYTECODE: '1' } });
  program.exited = new Promise((resolve) => program.process.once('close', resolve));
  program.process.stdout.setEncoding('utf8').on('data', (text) => {
    program.output += text;
  });
  program.process.stderr.setEncoding('utf8').on('data', (text) => {
    program.errors = (program.errors ?? '') + text;
  });
  await until(() => listens(port), `${program.file} to listen`).catch((error) => {
    throw new Error(`${error.message}\n${program.errors}`);
  });
}

const listens = (port) => new Promise((resolve) => {
  const socket = connect(port, '127.0.0.1', () => resolve(true));
  socket.once('error', () => resolve(false));
  socket.once('connect', () => socket.end());
});

/** How often a program has printed this event, in the words of the page. */
const printed = ({ output }, { name, channel, data = '' }) => output.split(` ${name} ${channel} ${data}\n`).length - 1;

for (const program of programs) {
  test(`${program.file} of docs/webhooks.md takes everything that the server sends (P-224)`, async () => {
    const { channels, sent } = raised;
    const last = { name: 'channel_vacated', channel: channels.presenceCache };
    await until(() => printed(program, last), `the last event at ${program.file}: ${program.errors}`);
    for (const { event, data } of sent.filter(({ data: d }) => typeof d !== 'string' || !/[\r\n]/.test(d))) {
      assert.ok(printed(program, { name: 'client_event', channel: channels.private, data: arrives(data) }) >= 1, `${event} ${arrives(data)}`);
    }
    assert.equal(printed(program, { name: 'channel_occupied', channel: channels.private }), 1);
  });

  test(`${program.file} of docs/webhooks.md refuses forgeries and ${program.once ? 'takes a repetition once' : 'takes repetitions'} (P-224)`, async () => {
    const genuine = world.hooks.deliveries.items.find((d) => d.body.includes('channel_occupied') && d.body.includes(raised.channels.longest));
    const { 'x-pusher-key': key, 'x-pusher-signature': signature } = genuine.headers;
    const post = async (headers, body) => (await fetch(program.url, { method: 'POST', body,
      headers: { 'Content-Type': 'application/json', ...headers } })).status;
    const signed = { 'X-Pusher-Key': key, 'X-Pusher-Signature': signature };
    const event = { name: 'channel_occupied', channel: raised.channels.longest };

    const known = printed(program, event);
    for (const [headers, body] of [
      [signed, `${genuine.body} `], [signed, genuine.body.replace(/\d{13}/, (ms) => String(Number(ms) + 1))],
      [{ ...signed, 'X-Pusher-Key': 'constructor' }, genuine.body], [{ ...signed, 'X-Pusher-Signature': '' }, genuine.body],
      [{ ...signed, 'X-Pusher-Signature': signature.replace(/./, (c) => (c === '0' ? '1' : '0')) }, genuine.body],
      [{}, genuine.body],
    ]) {
      assert.equal(await post(headers, body), 401, `${JSON.stringify(headers)} ${body}`);
    }
    assert.equal(printed(program, event), known);
    // These bytes are new to the program, as the server sent it batches.
    assert.equal(await post(signed, genuine.body), 204);
    assert.equal(await post(signed, genuine.body), 204);
    await until(() => printed(program, event) === known + (program.once ? 1 : 2), `the repetition at ${program.file}`);
    if (program.once) {
      // Whether the answer can be read depends on how much was still to be sent when the connection ended.
      const refused = await post(signed, 'x'.repeat(2 ** 20 + 1)).catch((error) => error.cause.code);
      assert.ok([413, 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'].includes(refused), `too long: ${refused}`);
    }
  });
}

test('the configuration of docs/webhooks.md is valid', async () => {
  const file = join(directory, 'config.yaml');
  await writeFile(file, snippet('yaml', '# Private'));
  const { stdout } = await promisify(execFile)(binary, ['config', 'check', file], { env: { PATH: process.env.PATH } });
  assert.match(stdout, /valid: 1 app/);
});
