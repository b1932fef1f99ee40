// Makes one server tell of everything it can: each type of event, and data in every form that a client can give it.

import { open } from './raw.mjs';
import { until } from './wait.mjs';
import { fresh } from './world.mjs';

/** Data of client events that a parser could stumble over, as clients send it. The strings arrive as they are. */
export const hardData = [
  'plain', '', ' ', '{"a":1}', '[1,2]', 'null', '"quoted"', 'back\\slash \\" \\\\', '\\u0041', '/ \\/', '</script><!--',
  'line\nfeed\r\ttab\b\f', '\u0000\u0001\u001f\u007f', 'äöü ßé', 'Ελληνικά', '中文', 'עברית', '\u202eright to left', '😀👩‍👩‍👧',
  '\u2028\u2029\u0085\ufeff\ufffe\uffff', '\ufffd', '\u{10ffff}', "'; DROP TABLE events; --", '%s %d %00', '&amp;<b>&#0;',
  { nested: { ü: ['😀', null, true, 1.5e300, -0] } }, [], {}, 0, -1, 1e21, true, false,
];

/** A client event with exactly as many bytes of data as the server takes, in characters of four bytes. */
export const longData = '😀'.repeat(10_240 / 4);

/** An unpaired surrogate has no UTF-8, and several libraries refuse JSON that names one. */
const loneSurrogate = '{"event":"client-lone","channel":"CHANNEL","data":"a\\ud800b"}';

/** What data a client event arrives with: strings as they are, everything else as its JSON text. */
export const arrives = (data) => (typeof data === 'string' ? data : JSON.stringify(data));

/**
 * Raises everything on channels of its own and resolves with them and with what was sent when the last event of them has
 * arrived at every path. Client events are limited to ten a second, so several connections share them.
 */
export async function raiseEverything(t, world, paths = ['/hook']) {
  const name = fresh('every-');
  const channels = { public: `${name}_-=@,.;Z`, private: `private-${name}`, presence: `presence-${name}`, cache: `cache-${name}`,
    encrypted: `private-encrypted-${name}`, encryptedCache: `private-encrypted-cache-${name}`, presenceCache: `presence-cache-${name}`,
    longest: `${name}-`.padEnd(200, 'x') };
  const join = (client, channel, data) => client.subscribe(channel, channel.startsWith('p')
    ? world.backend.authorizeChannel(client.socketId, channel, data) : {});

  const sent = [...hardData, longData].map((data, i) => ({ event: `client-${i}`, data }));
  sent.push({ event: `client-${'ü'.repeat(193)}`, data: 'a long name' }, { event: 'client-😀"\\\u0000', data: 'a strange name' });
  for (let i = 0; i < sent.length; i += 8) {
    const client = await open(t, world.server);
    await join(client, channels.private);
    sent.slice(i, i + 8).forEach((message) => client.send({ ...message, channel: channels.private }));
    if (i === 0) {
      client.send(loneSurrogate.replace('CHANNEL', channels.private));
    }
    await client.alive();
  }

  const client = await open(t, world.server);
  for (const channel of [channels.public, channels.cache, channels.longest, channels.encrypted, channels.encryptedCache]) {
    await join(client, channel);
  }
  const ciphertext = JSON.stringify({ nonce: 'AAAA+/==', ciphertext: 'BBBB' });
  client.send({ event: 'client-secret', channel: channels.encrypted, data: ciphertext });
  await join(client, channels.presence, { user_id: 'Zoë 😀 "7"', user_info: { name: 'Zoë' } });
  await join(client, channels.presenceCache, { user_id: 42 });
  client.send({ event: 'client-here', channel: channels.presence, data: 'hello' });
  await client.alive();
  client.socket.close();
  await client.end();
  const last = (path) => world.hooks.of(channels.presenceCache, path).some((e) => e.name === 'channel_vacated')
    && world.hooks.of(channels.public, path).some((e) => e.name === 'channel_vacated')
    && world.hooks.of(channels.private, path).filter((e) => e.name === 'client_event').length >= sent.length;
  await until(() => paths.every(last), 'the end of everything');
  return { channels, sent, ciphertext };
}
