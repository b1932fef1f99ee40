// One server with an application around it: backend, auth endpoint, webhook receiver.

import { authority, backendFor, listen } from './backend.mjs';
import { app, configuration, Server } from './server.mjs';
import { WebhookReceiver } from './webhooks.mjs';

/** Every webhook event type there is. */
export const everyEvent = ['channel_occupied', 'channel_vacated', 'member_added', 'member_removed', 'client_event',
  'cache_miss', 'subscription_count'];

let serial = 0;

/** A channel name nobody else uses, so that tests of one file cannot meet. */
export function fresh(prefix) {
  serial += 1;
  return `${prefix}${process.pid}-${serial}`;
}

/**
 * Starts everything. shape(app, hooksURL) may return other apps than the usual one; changes replaces top-level
 * configuration keys.
 */
export async function startWorld({ changes = {}, shape } = {}) {
  const hooks = await WebhookReceiver.start();
  const apps = shape?.(app, hooks.url) ?? [{ ...app, webhooks: [{ url: `${hooks.url}/hook`, events: everyEvent }] }];
  const config = configuration({ apps, ...changes });
  const server = await Server.start(config).catch(async (error) => {
    await hooks.close();
    throw error;
  });
  const backend = backendFor(server);
  hooks.trust(backend);
  const auth = await listen(authority(backend));
  return {
    config, server, backend, auth, hooks, key: app.keys[0].key,
    async close() {
      try {
        await server.stop();
      } finally {
        await Promise.all([auth.close(), hooks.close()]);
      }
    },
  };
}
