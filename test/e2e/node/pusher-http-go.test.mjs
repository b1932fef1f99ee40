// Runs the Go module with the official Go library and reports each of its tests here, so that one report has them all.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { binary } from '../lib/server.mjs';

const directory = fileURLToPath(new URL('../pusher-http-go', import.meta.url));

/** Runs go test and resolves with its exit code, the outcome of each test, and what each printed. */
async function goTest() {
  const go = spawn('go', ['test', '-race', '-count=1', '-json', './...'], {
    cwd: directory, env: { ...process.env, PIPESOCKETD_BINARY: binary }, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise((resolve, reject) => {
    go.once('error', reject);
    go.once('close', resolve);
  });
  const [outcomes, output] = [new Map(), new Map()];
  for await (const line of createInterface({ input: go.stdout })) {
    const { Action: action, Test: name = '', Output: text = '' } = JSON.parse(line);
    output.set(name, (output.get(name) ?? '') + text);
    if (name && ['pass', 'fail', 'skip'].includes(action)) {
      outcomes.set(name, action);
    }
  }
  return { code: await exited, outcomes, output };
}

test('pusher-http-go', async (t) => {
  const { code, outcomes, output } = await goTest();
  for (const [name, outcome] of outcomes) {
    const isParent = [...outcomes.keys()].some((other) => other.startsWith(`${name}/`));
    if (!isParent || outcome !== 'pass') {
      await t.test(name, () => assert.equal(outcome, 'pass', output.get(name)));
    }
  }
  assert.ok(outcomes.size > 0, `no Go test ran\n${output.get('')}`);
  assert.equal(code, 0, output.get(''));
});
