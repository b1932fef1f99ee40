// A real Chromium with a fresh profile that may talk to this machine only.

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, extname, join } from 'node:path';

import { chromium } from 'playwright-core';

const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** Where Chromium is: CHROMIUM, on the PATH, or in its usual place. */
export function chromiumPath() {
  const onPath = (process.env.PATH ?? '').split(delimiter).map((directory) => join(directory, 'chromium'));
  const found = [process.env.CHROMIUM, ...onPath, '/usr/bin/chromium'].find((file) => file && existsSync(file));
  if (!found) {
    throw new Error('chromium is not installed: run test/e2e/run.sh');
  }
  return found;
}

/** Starts the browser. */
export function launch() {
  return chromium.launch({ executablePath: chromiumPath(), headless: true, args: flags });
}

/**
 * Opens url in a browser context of its own. The result's foreign lists requests that would have left the machine (they
 * are refused), problems what the page threw.
 */
export async function openPage(t, browser, url) {
  const context = await browser.newContext();
  t.after(() => context.close());
  const [foreign, problems] = [[], []];
  await context.route((target) => target.hostname !== '127.0.0.1' && target.protocol.startsWith('http'), (route) => {
    foreign.push(route.request().url());
    return route.abort();
  });
  const page = await context.newPage();
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).hostname !== '127.0.0.1') {
      foreign.push(socket.url());
    }
  });
  await page.goto(url);
  return { page, foreign, problems };
}

/** Answers with files by request path; what is not listed is left to next. */
export function files(listed, next) {
  return async (request, response) => {
    const file = listed[new URL(request.url, 'http://localhost').pathname];
    if (!file) {
      return next(request, response);
    }
    response.setHeader('Content-Type', types[extname(file)] ?? 'application/octet-stream');
    return response.end(await readFile(file));
  };
}
