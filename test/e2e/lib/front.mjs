// A load balancer as there is one in front of most servers: it keeps its address while the servers behind it change.

import { connect, createServer } from 'node:net';

/** Forwards TCP connections to a target port; without a target they wait for the next one. */
export class Front {
  #sockets = new Set();
  #target;
  #aim;

  static async start(t) {
    const front = new Front();
    front.aim(undefined);
    front.server = createServer((socket) => front.#accept(socket));
    await new Promise((resolve) => front.server.listen(0, '127.0.0.1', resolve));
    front.port = front.server.address().port;
    t.after(() => front.#close());
    return front;
  }

  /** Sends new connections to port from now on; undefined makes them wait. */
  aim(port) {
    if (port !== undefined) {
      this.#aim?.(port);
      this.#target = Promise.resolve(port);
      this.#aim = undefined;
      return;
    }
    this.#target = new Promise((resolve) => {
      this.#aim = resolve;
    });
  }

  async #accept(socket) {
    this.#keep(socket);
    const upstream = connect(await this.#target, '127.0.0.1');
    this.#keep(upstream);
    socket.pipe(upstream).pipe(socket);
    socket.once('close', () => upstream.destroy());
    upstream.once('close', () => socket.end());
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #close() {
    this.#sockets.forEach((socket) => socket.destroy());
    return new Promise((resolve) => this.server.close(resolve));
  }
}
