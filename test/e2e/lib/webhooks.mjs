// A webhook receiver that believes nothing which the official library does not validate.

import { listen, readBody } from './backend.mjs';
import { Inbox } from './wait.mjs';

/**
 * Listens for webhooks. deliveries holds each request (path, headers, body, valid, payload), events the single events of
 * the valid ones with the path they came to. answer(delivery, number) may choose another status than 200.
 */
export class WebhookReceiver {
  deliveries = new Inbox();
  events = new Inbox();
  answer = () => 200;

  static async start() {
    const receiver = new WebhookReceiver();
    receiver.endpoint = await listen((request, response) => receiver.#receive(request, response));
    receiver.url = receiver.endpoint.url;
    return receiver;
  }

  /** Gives the receiver the official library's parser; has to happen before the first delivery. */
  trust(...backends) {
    this.backends = backends;
  }

  async #receive(request, response) {
    const body = await readBody(request);
    const hooks = this.backends.map((backend) => backend.webhook({ headers: request.headers, rawBody: body }));
    const hook = hooks.find((candidate) => candidate.isValid());
    const delivery = { path: request.url, method: request.method, headers: request.headers, rawHeaders: request.rawHeaders,
      body, valid: hook !== undefined, time: hook?.getTime(), payload: hook?.getData() };
    const status = this.answer(delivery, this.deliveries.items.filter((d) => d.path === request.url).length);
    this.deliveries.push(delivery);
    if (hook && status < 300) {
      hook.getEvents().forEach((event) => this.events.push({ ...event, path: request.url }));
    }
    response.writeHead(status).end('ok');
  }

  /** Resolves with the first event of this name and channel not yet taken. */
  take(name, channel) {
    return this.events.take((event) => event.name === name && event.channel === channel);
  }

  /** All events of one channel so far, without the path. */
  of(channel, path = '/hook') {
    return this.events.items.filter((e) => e.channel === channel && e.path === path).map(({ path: _, ...event }) => event);
  }

  close() {
    return this.endpoint.close();
  }
}
