// What no library sends: malformed, oversized, fragmented, unmasked and forged input, over a plain WebSocket.

import assert from 'node:assert/strict';
import { connect as connectTCP } from 'node:net';
import { after, afterEach, before, test } from 'node:test';

import { dial, modernQuery, open } from '../lib/raw.mjs';
import { withDeadline } from '../lib/wait.mjs';
import { fresh, startWorld } from '../lib/world.mjs';

let world;
let bystander;
before(async () => {
  world = await startWorld();
  bystander = await open({ after() {} }, world.server);
});
after(async () => {
  bystander?.socket.close();
  await bystander?.end();
  await world?.close();
});

// Whatever was sent: another connection notices nothing and the server still accepts new ones.
afterEach(async (t) => {
  await bystander.alive();
  await (await open(t, world.server)).alive();
});

const error = (message) => ({ event: 'pusher:error', data: { code: null, message } });

test('an offered sub-protocol of this protocol is selected (P-012, P-028)', async (t) => {
  for (const version of [4, 5, 6, 7]) {
    const protocol = `pusher-channels-protocol-${version}`;
    const client = await open(t, world.server, { query: `protocol=${version}`, protocols: [protocol] });
    assert.equal(client.socket.protocol, protocol);
  }
  const client = await open(t, world.server, { path: '/app/app-key', protocols: ['pusher-channels-protocol-7'] });
  assert.equal(client.socket.protocol, 'pusher-channels-protocol-7');
  const refused = dial(t, world.server, { path: '/app/nobody', protocols: ['pusher-channels-protocol-7'] });
  assert.equal((await refused.end()).code, 4001);
  assert.deepEqual(refused.frames.items, []);
});

test('any other sub-protocol is ignored (P-029, P-030)', async (t) => {
  for (const headers of [{ 'Sec-WebSocket-Protocol': 'chat, pusher-channels-protocol-9' }, {}]) {
    const client = await open(t, world.server, { headers });
    assert.equal(client.upgrade.headers['sec-websocket-protocol'], undefined);
    await client.alive();
  }
});

test('protocol 5 is told in a frame why it is closed, at once before the close (P-007, P-008, P-010, P-023)', async (t) => {
  const cases = [
    { key: 'nobody', query: 'protocol=5&client=js&version=1.12.7', code: 4001, message: 'Application does not exist' },
    { path: '/nope?protocol=5', code: 4005, message: 'Path not found' },
    { query: 'protocol=3', code: 4007, message: 'Unsupported protocol version' },
    { query: 'protocol=8', code: 4007, message: 'Unsupported protocol version' },
    { query: 'client=other', code: 4008, message: 'No protocol version supplied' },
    { query: 'protocol=5&version=%20bad', code: 4006, message: 'Invalid version string format' },
  ];
  for (const { code, message, ...target } of cases) {
    const client = dial(t, world.server, target);
    assert.deepEqual(await client.end(), { code, reason: message });
    assert.deepEqual(client.frames.items, [{ event: 'pusher:error', data: { code, message } }]);
  }
});

test('protocol 7 is only closed (P-014, P-020, P-024, P-026)', async (t) => {
  const cases = [
    { key: 'nobody', code: 4001, message: 'Application does not exist' },
    { path: `/nope?${modernQuery}`, code: 4005, message: 'Path not found' },
    { query: 'protocol=7&version=%20bad', code: 4006, message: 'Invalid version string format' },
  ];
  for (const { code, message, ...target } of cases) {
    const client = dial(t, world.server, target);
    assert.deepEqual(await client.end(), { code, reason: message });
    assert.deepEqual(client.frames.items, []);
  }
});

test('plain HTTP on the WebSocket path is told to upgrade (P-021, P-247)', async () => {
  const answer = await fetch(`${world.server.publicURL}/app/app-key?${modernQuery}`);
  assert.equal(answer.status, 426);
  assert.equal(answer.headers.get('upgrade'), 'websocket');
  assert.equal((await fetch(`${world.server.publicURL}/nope`)).status, 404);
  const fallback = await fetch(`${world.server.publicURL}/pusher/app/app-key/1/abc/xhr_streaming`, { method: 'POST' });
  assert.equal(fallback.status, 404);
  assert.equal(fallback.headers.get('access-control-allow-origin'), '*');
});

test('a binary message closes with 1003 (P-054)', async (t) => {
  const client = await open(t, world.server);
  client.socket.send(Buffer.from('{"event":"pusher:ping"}'), { binary: true });
  assert.deepEqual(await client.end(), { code: 1003, reason: 'Binary frames are not supported' });
});

test('text that is not UTF-8 closes with 1007 (P-055)', async (t) => {
  for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0x22, 0xe2, 0x82]]) {
    const client = await open(t, world.server);
    client.socket.send(Buffer.from(bytes), { binary: false });
    assert.equal((await client.end()).code, 1007);
  }
});

test('a message over the limit closes with 1009, one at the limit does not (P-056)', async (t) => {
  const fits = await open(t, world.server);
  const frame = (size) => `{"event":"x","pad":"${'a'.repeat(size - 22)}"}`;
  assert.equal(Buffer.byteLength(frame(65_536)), 65_536);
  fits.send(frame(65_536));
  assert.deepEqual(await fits.next('pusher:error'), error('Unsupported event received on socket: x'));
  await fits.alive();

  const whole = await open(t, world.server);
  whole.send(frame(65_537));
  assert.equal((await whole.end()).code, 1009);

  const pieces = await open(t, world.server);
  const text = frame(80_000);
  for (let at = 0; at < text.length; at += 10_000) {
    pieces.socket.send(text.slice(at, at + 10_000), { fin: at + 10_000 >= text.length }, () => {});
  }
  assert.equal((await pieces.end()).code, 1009);
});

test('a fragmented message counts as one (P-057)', async (t) => {
  const client = await open(t, world.server);
  const name = fresh('fragmented-');
  const text = JSON.stringify({ event: 'pusher:subscribe', data: { channel: name } });
  [...text].forEach((character, i) => client.socket.send(character, { fin: i === text.length - 1 }));
  assert.equal((await client.next('pusher_internal:subscription_succeeded')).channel, name);
});

test('a control frame between fragments is answered and does not disturb them (P-040, P-057)', async (t) => {
  const client = await open(t, world.server);
  const pong = new Promise((resolve) => {
    client.socket.once('pong', resolve);
  });
  client.socket.send('{"event":', { fin: false });
  client.socket.ping('in between');
  client.socket.send('"pusher:ping"}', { fin: true });
  assert.equal(String(await withDeadline(pong, 'pong')), 'in between');
  await client.next('pusher:pong');
});

test('a flood of pings is answered completely (P-038, P-039, P-040)', async (t) => {
  const client = await open(t, world.server);
  const payloads = Array.from({ length: 2_000 }, (_, i) => `ping-${i}`);
  const pongs = [];
  client.socket.on('pong', (payload) => pongs.push(String(payload)));
  payloads.forEach((payload, i) => {
    client.socket.ping(payload);
    client.send(i % 2 === 0 ? '{"event":"pusher:ping","data":{}}' : '{"event": "pusher:ping"}');
  });
  for (const _ of payloads) {
    assert.deepEqual(await client.next('pusher:pong'), { event: 'pusher:pong', data: '{}' });
  }
  await client.alive();
  assert.deepEqual(pongs, payloads);
});

test('text that is no frame is answered and leaves the connection usable (P-048, P-049)', async (t) => {
  const client = await open(t, world.server);
  const texts = ['', '{', 'null', '[]', '7', '"text"', '{"event":7}', '{"data":{}}', '{"event":null}', '{"event":"a"} x',
    '\u0000', '{"event":"pusher:subscribe","data":"{"}', '{"event":"pusher:subscribe","data":7}',
    `${'['.repeat(30_000)}${']'.repeat(30_000)}`, `{"event":"x","a":${'{"a":'.repeat(10_000)}1${'}'.repeat(10_001)}`];
  for (const text of texts) {
    client.send(text);
    assert.deepEqual(await client.next('pusher:error'), error('Received invalid JSON'), text.slice(0, 60));
  }
  await client.alive();
});

test('unknown and forged events are refused by name and reach nobody (P-050, P-051, P-152)', async (t) => {
  const [client, other] = [await open(t, world.server), await open(t, world.server)];
  const name = fresh('presence-forged');
  for (const [user, member] of [['1', client], ['2', other]]) {
    await member.subscribe(name, world.backend.authorizeChannel(member.socketId, name, { user_id: user }));
  }
  for (const event of ['foo', '', 'pusher_internal:member_added', 'pusher:error', 'Client-x', 'pusher:connection_established']) {
    client.send({ event, channel: name, data: { user_id: '666' } });
    assert.deepEqual(await client.next('pusher:error'), error(`Unsupported event received on socket: ${event}`));
  }
  await other.alive();
  assert.deepEqual(other.frames.events(), ['pusher:connection_established', 'pusher_internal:subscription_succeeded', 'pusher:pong']);
});

test('subscribe requests with something wrong are each answered by their text (P-064, P-065, P-075, P-078, P-079, P-080, P-081, P-092, P-093, P-095)', async (t) => {
  const [client, other] = [await open(t, world.server), await open(t, world.server)];
  await client.subscribe('twice');
  const name = 'private-wrong';
  const foreign = world.backend.authorizeChannel(other.socketId, name).auth;
  const elsewhere = world.backend.authorizeChannel(client.socketId, 'private-elsewhere').auth;
  const mismatch = (auth) =>
    `Invalid signature: Expected HMAC SHA256 hex digest of ${client.socketId}:${name}, but got ${auth.split(':')[1]}`;
  const cases = [
    [{}, 'Missing parameter: data.channel'],
    [{ channel: 7 }, 'Missing parameter: data.channel'],
    [{ channel: null }, 'Missing parameter: data.channel'],
    [{ channel: 'a b' }, 'Invalid channel name a b'],
    [{ channel: 'a:b' }, 'Invalid channel name a:b'],
    [{ channel: 'ä' }, 'Invalid channel name ä'],
    [{ channel: '#secret' }, 'Invalid channel name #secret'],
    [{ channel: 'x'.repeat(201) }, `Invalid channel name ${'x'.repeat(201)}`],
    [{ channel: 'twice' }, 'Existing subscription to channel twice'],
    [{ channel: name }, `Auth info required to subscribe to ${name}`],
    [{ channel: name, auth: '' }, `Auth info required to subscribe to ${name}`],
    [{ channel: name, auth: 'nocolon' }, 'Invalid format: auth must have the format key:signature'],
    [{ channel: name, auth: 'other:00' }, "Invalid key in subscription auth data: 'other'"],
    [{ channel: name, auth: foreign }, mismatch(foreign)],
    [{ channel: name, auth: elsewhere }, mismatch(elsewhere)],
    [{ channel: '#server-to-user-1' }, 'Auth info required to subscribe to #server-to-user-1'],
  ];
  for (const [data, message] of cases) {
    client.send({ event: 'pusher:subscribe', data });
    assert.deepEqual(await client.next('pusher:error'), error(message));
  }
  client.send({ event: 'pusher:unsubscribe', data: { channel: 'never' } });
  assert.deepEqual(await client.next('pusher:error'),
    error('No current subscription to channel never, or subscription in progress'));
  await client.alive();
});

test('client events that are not allowed reach nobody (P-142, P-144, P-145, P-146, P-147)', async (t) => {
  const [client, other] = [await open(t, world.server), await open(t, world.server)];
  const [open_, closed, elsewhere] = [fresh('private-events'), fresh('public-events'), fresh('private-events')];
  for (const member of [client, other]) {
    await member.subscribe(open_, world.backend.authorizeChannel(member.socketId, open_));
    await member.subscribe(closed);
  }
  await other.subscribe(elsewhere, world.backend.authorizeChannel(other.socketId, elsewhere));
  const long = `client-${'n'.repeat(194)}`;
  const cases = [
    [{ event: 'client-x', data: {} }, 'Invalid client event (must contain channel and data)'],
    [{ event: 'client-x', channel: open_ }, 'Invalid client event (must contain channel and data)'],
    [{ event: 'client-x', channel: closed, data: {} }, 'Client event rejected - only supported on private and presence channels'],
    [{ event: 'client-x', channel: elsewhere, data: {} },
      `Cannot broadcast client event (connection not subscribed to channel ${elsewhere})`],
    [{ event: long, channel: open_, data: {} }, 'Client event name exceeds the allowed maximum (200 characters)'],
    [{ event: 'client-x', channel: open_, data: 'x'.repeat(10_241) },
      'The data content of this event exceeds the allowed maximum (10240 bytes).'],
  ];
  for (const [frame, message] of cases) {
    client.send(frame);
    assert.deepEqual(await client.next('pusher:error'), error(message));
  }
  client.send({ event: long.slice(0, 200), channel: open_, data: 'x'.repeat(10_240) });
  assert.equal((await other.next(long.slice(0, 200))).data.length, 10_240);
  assert.deepEqual(other.frames.events().filter((event) => event.startsWith('client-')), [long.slice(0, 200)]);
});

test('the eleventh client event of a second is dropped with 4301 (P-148)', async (t) => {
  const [client, other] = [await open(t, world.server), await open(t, world.server)];
  const name = fresh('private-rate');
  for (const member of [client, other]) {
    await member.subscribe(name, world.backend.authorizeChannel(member.socketId, name));
  }
  for (let i = 0; i < 30; i += 1) {
    client.send({ event: 'client-n', channel: name, data: i });
  }
  const refused = await client.next('pusher:error');
  assert.deepEqual(refused.data, { code: 4301, message: 'Client event rejected due to rate limit' });
  for (let i = 0; i < 10; i += 1) {
    assert.equal((await other.next('client-n')).data, String(i));
  }
  await client.alive();
});

test('frames that break RFC 6455 end the connection with 1002', async (t) => {
  const frames = {
    unmasked: [0x81, 0x02, 0x7b, 0x7d],
    'reserved bit': [0xc1, 0x80, 0, 0, 0, 0],
    'reserved opcode': [0x83, 0x80, 0, 0, 0, 0],
    'continuation of nothing': [0x80, 0x80, 0, 0, 0, 0],
    'fragmented control frame': [0x09, 0x80, 0, 0, 0, 0],
    'control frame of 126 bytes': [0x89, 0xfe, 0, 126, 0, 0, 0, 0, ...Array(126).fill(0)],
    'close with one byte': [0x88, 0x81, 0, 0, 0, 0, 3],
    'close with an invalid code': [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed],
  };
  for (const [what, bytes] of Object.entries(frames)) {
    const client = await open(t, world.server);
    client.sendBytes(Buffer.from(bytes));
    assert.equal((await client.end()).code, 1002, what);
  }
});

test('a length no message can have is refused without waiting for it (P-056)', async (t) => {
  const client = await open(t, world.server);
  client.sendBytes(Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, ...Array(70_000).fill(0)]));
  assert.equal((await client.end()).code, 1009);
});

test('malformed upgrades are refused', async () => {
  const lines = (...extra) => ['GET /app/app-key?protocol=7 HTTP/1.1', 'Host: localhost', ...extra, '', ''].join('\r\n');
  const upgrade = ['Connection: Upgrade', 'Upgrade: websocket'];
  const cases = [
    [lines(...upgrade, 'Sec-WebSocket-Version: 13'), /^HTTP\/1\.1 4\d\d /],
    [lines(...upgrade, 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: short'), /^HTTP\/1\.1 4\d\d /],
    [lines(...upgrade, 'Sec-WebSocket-Version: 8', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='), /^HTTP\/1\.1 4\d\d /],
    [lines(`X-Padding: ${'x'.repeat(40_000)}`), /^HTTP\/1\.1 431 /],
    ['\u0000\u0001 nonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
  ];
  for (const [request, answer] of cases) {
    assert.match(await exchange(request), answer);
  }
});

/** Sends text over TCP and resolves with the beginning of what comes back. */
function exchange(text) {
  const socket = connectTCP(world.server.port, '127.0.0.1', () => socket.write(text));
  const answer = new Promise((resolve, reject) => {
    socket.once('data', (data) => resolve(String(data)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed without an answer')));
  });
  return withDeadline(answer, 'HTTP answer').finally(() => socket.destroy());
}

/** A reproducible source of numbers below n. */
function random(seed) {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % n;
  };
}

test('a thousand random frames draw nothing but errors (P-252)', async (t) => {
  const client = await open(t, world.server);
  const pick = random(20_240_601);
  const names = ['pusher:subscribe', 'pusher:unsubscribe', 'pusher:signin', 'pusher:pong', 'client-x', 'foo', 'pusher:'];
  const values = [null, true, 1e9, -0.5, '', 'x', '{}', '{"user_id":1}', [], [[]], {}, { a: { b: null } }, 'app-key:00',
    'private-x', 'presence-x', 'cache-x', '#server-to-user-1', '\ud83d\ude00', 'z'.repeat(300)];
  const some = (list) => list[pick(list.length)];
  const field = () => ['channel', 'auth', 'channel_data', 'user_data', 'user_id'][pick(5)];
  for (let i = 0; i < 1_000; i += 1) {
    const data = pick(3) === 0 ? some(values) : Object.fromEntries(Array.from({ length: pick(5) }, () => [field(), some(values)]));
    const text = JSON.stringify({ event: some(names), channel: some(values), data });
    client.send(pick(4) === 0 ? text.slice(0, pick(text.length)) : text);
  }
  await client.alive();
  const expected = new Set(['pusher:connection_established', 'pusher:error', 'pusher:subscription_error', 'pusher:pong',
    'pusher_internal:subscription_succeeded', 'pusher_internal:subscription_count', 'pusher:cache_miss']);
  assert.deepEqual(client.frames.events().filter((event) => !expected.has(event)), []);
});
