// A plain WebSocket client for what no library would send.

import WebSocket from 'ws';

import { Inbox, withDeadline } from './wait.mjs';

/** The query pusher-js 8.4.0 sends. */
export const modernQuery = 'protocol=7&client=js&version=8.4.0&flash=false';

/** One connection. frames holds the decoded messages, texts the same as they came, closed settles with code and reason. */
export class RawClient {
  frames = new Inbox();
  texts = [];

  constructor(t, url, { protocols = [], ...options } = {}) {
    this.socket = new WebSocket(url, protocols, options);
    this.closed = new Promise((resolve) => {
      this.socket.once('close', (code, reason) => resolve({ code, reason: reason.toString('utf8') }));
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve);
      this.socket.on('error', reject);
    });
    this.opened.catch(() => {});
    this.socket.once('upgrade', (response) => {
      this.upgrade = response;
    });
    this.socket.on('message', (data) => {
      this.texts.push(data.toString('utf8'));
      this.frames.push(JSON.parse(this.texts.at(-1)));
    });
    t.after(() => this.socket.terminate());
  }

  /** Sends a frame: an object as its JSON, a string as it is. */
  send(frame) {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Sends bytes past the library's framing. */
  sendBytes(bytes) {
    this.socket._socket.write(bytes);
  }

  /** Resolves with the next frame of this event. */
  next(event) {
    return this.frames.take(event);
  }

  /** Resolves with code and reason of the close. */
  end() {
    return withDeadline(this.closed, 'close');
  }

  /** Waits for the handshake and keeps what it says. */
  async established() {
    await withDeadline(this.opened, 'open connection');
    const { data } = await this.next('pusher:connection_established');
    this.handshake = JSON.parse(data);
    this.socketId = this.handshake.socket_id;
    return this;
  }

  /** Subscribes and resolves with the decoded data of the success frame. */
  async subscribe(channel, fields = {}) {
    this.send({ event: 'pusher:subscribe', data: { channel, ...fields } });
    const succeeded = (f) => f.event === 'pusher_internal:subscription_succeeded' && f.channel === channel;
    return JSON.parse((await this.frames.take(succeeded)).data);
  }

  /** Proves that the connection still answers, and that everything sent before has been processed. */
  async alive() {
    this.send({ event: 'pusher:ping', data: {} });
    await this.next('pusher:pong');
  }
}

/** Opens a connection whatever comes of it. */
export function dial(t, server, { path, query = modernQuery, key = 'app-key', ...options } = {}) {
  return new RawClient(t, server.socketURL(path ?? `/app/${key}?${query}`), options);
}

/** Opens a connection and waits for its handshake. */
export function open(t, server, options) {
  return dial(t, server, options).established();
}
