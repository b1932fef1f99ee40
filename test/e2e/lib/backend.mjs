// The application's side: the official server library, and an auth endpoint as an application would write one.

import { createServer } from 'node:http';

import Pusher from 'pusher';

import { app } from './server.mjs';

/** 32 bytes known to the backend alone; the server must never need them. */
export const masterKey = Buffer.from(Array.from({ length: 32 }, (_, i) => i)).toString('base64');

/** A client of the HTTP API made from the official Node library. */
export function backendFor(server, { id = app.id, key = app.keys[0].key, secret = app.keys[0].secret } = {}) {
  return new Pusher({
    appId: id,
    key,
    secret,
    host: '127.0.0.1',
    port: server.port,
    useTLS: false,
    encryptionMasterKeyBase64: masterKey,
    timeout: 10_000,
  });
}

/** Resolves when handler listens on a free loopback port; the result has url and close(). */
export async function listen(handler) {
  const http = createServer(handler);
  await new Promise((resolve, reject) => {
    http.once('error', reject);
    http.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${http.address().port}`,
    async close() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** Reads a request's body whole, as text. */
export async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * Answers /channel-auth and /user-auth with the official library's signatures. The caller says in form fields who it is
 * (user, a JSON object) and how it wants to be treated (mode):
 *   none     a proper answer
 *   deny     403, as for a user without rights
 *   forge    a signature made with a wrong secret, which only the WebSocket server can notice
 *   signedin a presence answer without channel data, for connections that are signed in
 */
export function authority(backend) {
  const forger = new Pusher({ appId: '1', key: backend.config.token.key, secret: 'not-the-secret', host: '127.0.0.1',
    encryptionMasterKeyBase64: masterKey });
  return async (request, response) => {
    const form = new URLSearchParams(await readBody(request));
    const user = JSON.parse(form.get('user') ?? '{}');
    response.setHeader('Access-Control-Allow-Origin', '*');
    if (form.get('mode') === 'deny') {
      response.writeHead(403).end('Forbidden');
      return;
    }
    const signer = form.get('mode') === 'forge' ? forger : backend;
    const answer = request.url === '/user-auth'
      ? signer.authenticateUser(form.get('socket_id'), user)
      : authorizeChannel(signer, form, user);
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(answer));
  };
}

function authorizeChannel(signer, form, user) {
  const channel = form.get('channel_name');
  if (!channel.startsWith('presence-') || form.get('mode') === 'signedin') {
    return signer.authorizeChannel(form.get('socket_id'), channel);
  }
  return signer.authorizeChannel(form.get('socket_id'), channel, { user_id: user.id, user_info: user.user_info });
}
