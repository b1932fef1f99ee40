// Starting and stopping the binary under test.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { withDeadline } from './wait.mjs';

const built = fileURLToPath(new URL('../.build/pipesocketd', import.meta.url));

/** The binary under test: PIPESOCKETD_BINARY, or the one run.sh builds. */
export const binary = process.env.PIPESOCKETD_BINARY || built;

const readyLine = /^pipesocketd ready: public=(https?:\/\/127\.0\.0\.1:(\d+)) ops=(https?:\/\/127\.0\.0\.1:\d+)$/;

/** The app most tests use: every feature on, so that each client also meets the frames it does not know. */
export const app = {
  id: '1001',
  keys: [{ key: 'app-key', secret: 'app-secret' }],
  client_events: true,
  subscription_count: true,
  watchlist: true,
};

/** A configuration with free ports, quick drain and short webhook delays; changes replaces top-level keys. */
export function configuration(changes = {}) {
  return {
    listen: '127.0.0.1:0',
    ops: { listen: '127.0.0.1:0' },
    drain_window: '100ms',
    log: { level: 'debug', format: 'text' },
    webhooks: { allow_addresses: ['127.0.0.0/8'], grace_delay: '300ms' },
    apps: [app],
    ...changes,
  };
}

/** One running pipesocketd. Its log is kept and shown when the process ends in another way than asked for. */
export class Server {
  stdout = '';
  stderr = '';

  /** Starts the binary with a configuration file holding config and resolves when it says that it is ready. */
  static async start(config = configuration()) {
    assert.ok(existsSync(binary), `no binary at ${binary}: run test/e2e/run.sh, or set PIPESOCKETD_BINARY`);
    const server = new Server();
    server.directory = await mkdtemp(join(tmpdir(), 'pipesocketd-e2e-'));
    const file = join(server.directory, 'config.json');
    await writeFile(file, JSON.stringify(config));
    server.#spawn(['--config', file]);
    try {
      await withDeadline(server.#ready, 'ready line');
    } catch (error) {
      server.kill();
      await rm(server.directory, { recursive: true, force: true });
      throw new Error(`${error.message}\n${server.stdout}${server.stderr}`);
    }
    return server;
  }

  #ready;

  #spawn(args) {
    const environment = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('PIPESOCKETD_')),
    );
    this.process = spawn(binary, args, { env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = new Promise((resolve) => {
      this.process.once('close', (code, signal) => resolve({ code, signal }));
    });
    this.process.stderr.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.#ready = new Promise((resolve, reject) => {
      this.process.once('error', reject);
      this.exited.then(({ code, signal }) => reject(new Error(`ended before it was ready (${signal ?? code})`)));
      this.process.stdout.setEncoding('utf8').on('data', (text) => {
        this.stdout += text;
        const match = this.stdout.split('\n').map((line) => readyLine.exec(line)).find(Boolean);
        if (match) {
          [, this.publicURL, this.port, this.opsURL] = match;
          this.port = Number(this.port);
          resolve();
        }
      });
    });
    this.#ready.catch(() => {});
  }

  /** The address of a WebSocket endpoint, e.g. socketURL('/app/app-key?protocol=7'). */
  socketURL(path) {
    return this.publicURL.replace(/^http/, 'ws') + path;
  }

  /** Ends the process gracefully and requires that it left with exit code 0 and without a panic, a data race or a secret in the log. */
  async stop() {
    this.stopped ??= this.#stop();
    return this.stopped;
  }

  async #stop() {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
    }
    const { code, signal } = await withDeadline(this.exited, 'graceful exit', 30_000).catch((error) => {
      this.kill();
      throw new Error(`${error.message}\n${this.stderr}`);
    });
    await rm(this.directory, { recursive: true, force: true });
    assert.equal(signal, null, `ended by ${signal}\n${this.stderr}`);
    assert.equal(code, 0, `exit code ${code}\n${this.stderr}`);
    assert.doesNotMatch(this.stderr, /^panic: |WARNING: DATA RACE|panicked/m);
    assert.doesNotMatch(this.stderr, /app-secret/, 'the log shows a secret');
  }

  /** Ends the process at once; for the way out of a failed test. */
  kill() {
    this.process.kill('SIGKILL');
  }
}
