// What every generation of pusher-js must be able to do; one test file per generation calls this.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { backendFor } from './backend.mjs';
import { Client, connect, generations } from './clients.mjs';
import { Front } from './front.mjs';
import { configuration, Server } from './server.mjs';
import { once } from './wait.mjs';
import { fresh, startWorld } from './world.mjs';

const ann = { id: 'ann', user_info: { name: 'Ann', roles: ['admin'] } };
const bob = { id: 'bob', user_info: { name: 'Bob' } };

/** The code and message of an error: older releases wrap what the server said, newer ones hand it on. */
const said = (error) => (error.error ?? error).data ?? {};

/** Declares the tests of one generation. */
export function pusherJsSuite(release) {
  const generation = generations[release];
  let world;

  before(async () => {
    world = await startWorld();
  });
  after(() => world?.close());

  test(`pusher-js ${release} connects and reports its states (P-001, P-033, P-035)`, async (t) => {
    const client = new Client(t, world, generation);
    await client.connected();

    assert.deepEqual(client.states, ['connecting', 'connected']);
    assert.match(client.socketId, /^[0-9]+\.[0-9]+$/);
    assert.equal(client.pusher.connection.activityTimeout, 120_000);

    client.pusher.disconnect();
    assert.equal(client.pusher.connection.state, 'disconnected');
    client.pusher.connect();
    const first = client.socketId;
    await once(client.pusher.connection, 'connected');
    assert.notEqual(client.socketId, first);
    assert.deepEqual(client.errors.items, []);
  });

  test(`pusher-js ${release} is answered when it pings (P-038)`, async (t) => {
    const client = await connect(t, world, generation, {}, { [generation.idle]: 200 });
    await client.messages.take('pusher:pong');
    await client.messages.take('pusher:pong');
    assert.deepEqual(client.states, ['connecting', 'connected']);
  });

  test(`pusher-js ${release} is told to stay away from an unknown app (P-014)`, async (t) => {
    const client = new Client(t, { ...world, key: 'nobody' }, generation);
    const error = await client.errors.take((e) => said(e).code === 4001);
    assert.equal(said(error).message, 'Application does not exist');
    assert.equal(client.pusher.connection.state, 'disconnected');
    assert.equal(client.socketId, undefined);
  });

  test(`pusher-js ${release} receives events on a public channel (P-071, P-061, P-189)`, async (t) => {
    const client = await connect(t, world, generation);
    const name = fresh('news-_=@,.;');
    const { inbox } = await client.subscribe(name);

    const payloads = [{ n: 1, text: 'Grüße <b>&amp;</b> \u2028 €' }, 'plain text', [1, null, 'x'], { deep: { er: [] } }];
    for (const payload of payloads) {
      await world.backend.trigger(name, 'update', payload);
    }
    await world.backend.post({ path: '/events', body: { name: 'last', channel: name, data: '{"form":  "single"}' } });

    assert.deepEqual((await inbox.take('last')).data, { form: 'single' });
    assert.deepEqual(inbox.items.filter((e) => e.event === 'update').map((e) => e.data), payloads);
  });

  test(`pusher-js ${release} receives a batch in order and one event for several channels`, async (t) => {
    const client = await connect(t, world, generation);
    const [a, b] = [fresh('batch-'), fresh('batch-')];
    const first = await client.subscribe(a);
    const second = await client.subscribe(b);

    await world.backend.triggerBatch([
      { channel: a, name: 'one', data: { n: 1 } },
      { channel: b, name: 'other', data: { n: 2 } },
      { channel: a, name: 'two', data: { n: 3 } },
    ]);
    await world.backend.trigger([a, b], 'both', { n: 4 });

    await first.inbox.take('both');
    await second.inbox.take('both');
    const events = (inbox) => inbox.items.filter((e) => !e.event.startsWith('pusher:')).map((e) => [e.event, e.data.n]);
    assert.deepEqual(events(first.inbox), [['one', 1], ['two', 3], ['both', 4]]);
    assert.deepEqual(events(second.inbox), [['other', 2], ['both', 4]]);
  });

  test(`pusher-js ${release} is left out of an event by its socket id (P-192)`, async (t) => {
    const [sender, other] = [await connect(t, world, generation), await connect(t, world, generation)];
    const name = fresh('exclude-');
    const [mine, theirs] = [await sender.subscribe(name), await other.subscribe(name)];

    await world.backend.trigger(name, 'not-for-sender', { n: 1 }, { socket_id: sender.socketId });
    await world.backend.trigger(name, 'for-all', { n: 2 });

    await theirs.inbox.take('not-for-sender');
    await theirs.inbox.take('for-all');
    await mine.inbox.take('for-all');
    assert.ok(!mine.inbox.events().includes('not-for-sender'));
  });

  test(`pusher-js ${release} joins a private channel through its auth endpoint (P-073)`, async (t) => {
    const client = await connect(t, world, generation);
    const name = fresh('private-room');
    const { inbox } = await client.subscribe(name);
    await world.backend.trigger(name, 'secret', { n: 1 });
    assert.deepEqual((await inbox.take('secret')).data, { n: 1 });
  });

  test(`pusher-js ${release} joins a private channel through an authorizer of the application`, async (t) => {
    const asked = [];
    const sign = (socketId, channel) => {
      asked.push([socketId, channel]);
      return world.backend.authorizeChannel(socketId, channel);
    };
    const client = await connect(t, world, generation, {}, generation.authorizer(sign));
    const name = fresh('private-own');
    await client.subscribe(name);
    assert.deepEqual(asked, [[client.socketId, name]]);
  });

  test(`pusher-js ${release} tells the application of a refused subscription and stays connected (P-088, P-090)`, async (t) => {
    const client = await connect(t, world, generation, { mode: 'forge', user: ann });
    for (const prefix of ['private-', 'presence-']) {
      const name = fresh(prefix);
      const { inbox } = client.join(name);

      const { data } = await inbox.take('pusher:subscription_error');
      assert.equal(data.type, 'AuthError');
      assert.equal(data.status, 401);
      assert.ok(data.error.startsWith(`Invalid signature: Expected HMAC SHA256 hex digest of ${client.socketId}:${name}`));
      await client.errors.take((e) => said(e).code === null && said(e).message === data.error);
    }
    const after = await client.subscribe(fresh('public-after'));
    assert.ok(after.channel.subscribed);
    assert.deepEqual(client.states, ['connecting', 'connected']);
  });

  test(`pusher-js ${release} stays connected when the auth endpoint refuses`, async (t) => {
    const client = await connect(t, world, generation, { mode: 'deny' });
    const { inbox } = client.join(fresh('private-'));
    await inbox.take('pusher:subscription_error');
    await client.subscribe(fresh('public-after'));
    assert.deepEqual(client.states, ['connecting', 'connected']);
  });

  test(`pusher-js ${release} sees presence members come and go (P-099, P-105, P-106, P-109, P-110)`, async (t) => {
    const first = await connect(t, world, generation, { user: ann });
    const name = fresh('presence-room');
    const { channel, inbox } = await first.subscribe(name);
    assert.equal(channel.members.count, 1);
    assert.deepEqual(channel.members.me, { id: 'ann', info: ann.user_info });

    const second = await connect(t, world, generation, { user: bob });
    const joined = await second.subscribe(name);
    assert.equal(joined.channel.members.count, 2);
    assert.deepEqual(joined.channel.members.get('ann'), { id: 'ann', info: ann.user_info });
    assert.deepEqual((await inbox.take('pusher:member_added')).data, { id: 'bob', info: bob.user_info });
    assert.equal(channel.members.count, 2);

    second.pusher.unsubscribe(name);
    assert.deepEqual((await inbox.take('pusher:member_removed')).data, { id: 'bob', info: bob.user_info });
    await second.subscribe(name);
    await inbox.take('pusher:member_added');
    second.pusher.disconnect();
    assert.equal((await inbox.take('pusher:member_removed')).data.id, 'bob');
    assert.equal(channel.members.count, 1);
    assert.ok(!joined.inbox.events().includes('pusher:member_added'));
  });

  test(`pusher-js ${release} counts a user with two connections once (P-107, P-108)`, async (t) => {
    const watcher = await connect(t, world, generation, { user: ann });
    const name = fresh('presence-twice');
    const { channel, inbox } = await watcher.subscribe(name);
    const [one, two] = [await connect(t, world, generation, { user: bob }), await connect(t, world, generation, { user: bob })];
    await one.subscribe(name);
    const second = await two.subscribe(name);
    assert.equal(second.channel.members.count, 2);

    one.pusher.disconnect();
    await two.subscribe(fresh('settled-'));
    const carol = await connect(t, world, generation, { user: { id: 'carol' } });
    await carol.subscribe(name);
    await inbox.take((e) => e.event === 'pusher:member_added' && e.data.id === 'carol');
    assert.deepEqual(inbox.items.filter((e) => e.event.startsWith('pusher:member')).map((e) => [e.event, e.data.id]),
      [['pusher:member_added', 'bob'], ['pusher:member_added', 'carol']]);
    assert.equal(channel.members.count, 3);
  });

  test(`pusher-js ${release} exchanges client events on a private channel (P-135, P-137)`, async (t) => {
    const [a, b] = [await connect(t, world, generation), await connect(t, world, generation)];
    const name = fresh('private-chat');
    const [left, right] = [await a.subscribe(name), await b.subscribe(name)];

    assert.ok(left.channel.trigger('client-hello', { from: 'a', nested: { n: [1, 2] } }));
    assert.deepEqual((await right.inbox.take('client-hello')).data, { from: 'a', nested: { n: [1, 2] } });
    assert.ok(right.channel.trigger('client-hello', 'just text'));
    assert.equal((await left.inbox.take('client-hello')).data, 'just text');

    await world.backend.trigger(name, 'fence', {});
    await Promise.all([left.inbox.take('fence'), right.inbox.take('fence')]);
    for (const { inbox } of [left, right]) {
      assert.equal(inbox.events().filter((e) => e === 'client-hello').length, 1);
    }
  });

  test(`pusher-js ${release} learns who sent a client event on a presence channel (P-139)`, async (t) => {
    const a = await connect(t, world, generation, { user: ann });
    const b = await connect(t, world, generation, { user: bob });
    const name = fresh('presence-chat');
    const [left, right] = [await a.subscribe(name), await b.subscribe(name)];

    const received = new Promise((resolve) => {
      right.channel.bind('client-typing', (data, metadata) => resolve({ data, metadata }));
    });
    left.channel.trigger('client-typing', { on: true });
    assert.deepEqual(await received, { data: { on: true }, metadata: { user_id: 'ann' } });
  });

  test(`pusher-js ${release} unsubscribes and subscribes again (P-094, P-096)`, async (t) => {
    const client = await connect(t, world, generation);
    const name = fresh('private-again');
    const before = await client.subscribe(name);
    const fence = await client.subscribe(fresh('fence-'));
    client.pusher.unsubscribe(name);
    await client.subscribe(fresh('processed-'));
    await world.backend.trigger(name, 'missed', {});
    await world.backend.trigger(fence.channel.name, 'fence', {});
    await fence.inbox.take('fence');
    assert.ok(!client.messages.items.some((m) => m.event === 'missed'));
    assert.ok(!before.inbox.events().includes('missed'));

    const again = await client.subscribe(name);
    await world.backend.trigger(name, 'seen', { n: 1 });
    assert.deepEqual((await again.inbox.take('seen')).data, { n: 1 });
  });

  test(`pusher-js ${release} unsubscribes while the subscription is still under way`, async (t) => {
    const client = await connect(t, world, generation);
    const name = fresh('hasty-');
    client.pusher.subscribe(name);
    client.pusher.unsubscribe(name);
    await client.messages.take((m) => m.event === 'pusher_internal:subscription_succeeded' && m.channel === name);
    await client.subscribe(fresh('processed-'));
    const answer = await world.backend.get({ path: `/channels/${name}` });
    assert.deepEqual(await answer.json(), { occupied: false });
    assert.deepEqual(client.errors.items, []);
  });

  test(`pusher-js ${release} gets the cached event, or a cache miss (P-120, P-121, P-122)`, async (t) => {
    for (const prefix of ['cache-', 'private-cache-', 'presence-cache-']) {
      const client = await connect(t, world, generation, { user: ann });
      const name = fresh(prefix);
      const miss = await client.subscribe(name);
      await miss.inbox.take('pusher:cache_miss');
      await world.backend.trigger(name, 'price', { eur: 3 });
      await miss.inbox.take('price');

      const late = await connect(t, world, generation, { user: bob });
      const hit = await late.subscribe(name);
      assert.deepEqual((await hit.inbox.take('price')).data, { eur: 3 });
      const order = hit.inbox.events().filter((e) => e === 'price' || e === 'pusher:subscription_succeeded');
      assert.deepEqual(order, ['pusher:subscription_succeeded', 'price']);
      assert.ok(!hit.inbox.events().includes('pusher:cache_miss'));
    }
  });

  test(`pusher-js ${release} decrypts events of encrypted channels (P-074, P-068)`, async (t) => {
    const client = await connect(t, world, generation);
    for (const prefix of ['private-encrypted-', 'private-encrypted-cache-']) {
      const name = fresh(prefix);
      const { inbox } = await client.subscribe(name);
      await world.backend.trigger(name, 'letter', { text: 'für dich' });
      assert.deepEqual((await inbox.take('letter')).data, { text: 'für dich' });

      const wire = client.messages.items.find((m) => m.event === 'letter' && m.channel === name);
      assert.deepEqual(Object.keys(wire.data).sort(), ['ciphertext', 'nonce']);
      if (prefix.endsWith('cache-')) {
        const late = await connect(t, world, generation);
        const hit = await late.subscribe(name);
        assert.deepEqual((await hit.inbox.take('letter')).data, { text: 'für dich' });
      }
    }
  });

  test(`pusher-js ${release} is sent subscription counts (P-131, P-132)`, async (t) => {
    const [a, b] = [await connect(t, world, generation), await connect(t, world, generation)];
    const name = fresh('counted-');
    const { channel } = await a.subscribe(name);
    const count = (n) => (m) => m.event === 'pusher_internal:subscription_count' && m.channel === name
      && m.data.subscription_count === n;
    await a.messages.take(count(1));
    await b.subscribe(name);
    await Promise.all([a.messages.take(count(2)), b.messages.take(count(2))]);
    b.pusher.disconnect();
    await a.messages.take(count(1));
    if (generation.users) {
      assert.equal(channel.subscriptionCount, 1);
    }
  });

  test(`pusher-js ${release} moves to the next server when the old one stops (P-059)`, async (t) => {
    const front = await Front.start(t);
    const [old, next] = [await Server.start(configuration()), await Server.start(configuration())];
    t.after(() => Promise.all([old.stop(), next.stop()]));
    front.aim(old.port);
    const client = await connect(t, { ...world, server: front }, generation);
    const { inbox } = await client.subscribe('private-survivor');
    const first = client.socketId;

    front.aim(undefined);
    await old.stop();
    const error = await client.errors.take((e) => said(e).code === 4200);
    assert.equal(said(error).message, 'Please reconnect immediately');
    front.aim(next.port);
    await inbox.take('pusher:subscription_succeeded');
    assert.notEqual(client.socketId, first);
    await backendFor(next).trigger('private-survivor', 'after', { n: 1 });
    assert.deepEqual((await inbox.take('after')).data, { n: 1 });
    assert.deepEqual(client.states, ['connecting', 'connected', 'connecting', 'connected']);
  });

  if (generation.users) {
    userSuite(release, () => world);
  }
}

/** Sign-in, server-to-user and watchlists, for the generations that know users. */
function userSuite(release, current) {
  const generation = generations[release];

  test(`pusher-js ${release} signs in and receives events for its user alone (P-153, P-158, P-160)`, async (t) => {
    const world = current();
    const id = fresh('user-');
    const [phone, laptop] = [await connect(t, world, generation, { user: { id } }),
      await connect(t, world, generation, { user: { id } })];
    const other = await connect(t, world, generation, { user: { id: `${id}-other` } });
    await Promise.all([phone.signIn(id), laptop.signIn(id), other.signIn(`${id}-other`)]);
    assert.deepEqual(phone.pusher.user.user_data, { id });

    const received = [phone, laptop].map((client) => once(client.pusher.user, 'mail'));
    await world.backend.sendToUser(id, 'mail', { n: 1 });
    assert.deepEqual(await Promise.all(received), [{ n: 1 }, { n: 1 }]);

    const fence = once(other.pusher.user, 'fence');
    await world.backend.sendToUser(`${id}-other`, 'fence', { n: 2 });
    assert.deepEqual(await fence, { n: 2 });
    assert.ok(!other.messages.items.some((m) => m.event === 'mail'));
  });

  test(`pusher-js ${release} stays connected when its sign-in is refused (P-154)`, async (t) => {
    const client = await connect(t, current(), generation, { user: { id: 'eve' }, mode: 'forge' });
    client.pusher.signin();
    const error = await client.errors.take((e) => said(e).code === null);
    assert.match(said(error).message, /^Invalid signature: Expected HMAC SHA256 hex digest of .*::user::/);
    await client.subscribe(fresh('public-'));
    assert.equal(client.pusher.user.user_data, null);
    assert.deepEqual(client.states, ['connecting', 'connected']);
  });

  test(`pusher-js ${release} joins presence channels as the user it signed in as (P-115)`, async (t) => {
    const world = current();
    const user = { id: fresh('user-'), user_info: { name: 'Signed' } };
    const name = fresh('presence-signed');
    const watcher = await connect(t, world, generation, { user: ann });
    const { inbox } = await watcher.subscribe(name);

    const client = await connect(t, world, generation, { user, mode: 'signedin' });
    await client.signIn(user.id);
    const { channel } = await client.subscribe(name);
    assert.deepEqual(channel.members.me, { id: user.id, info: user.user_info });
    assert.deepEqual((await inbox.take('pusher:member_added')).data, { id: user.id, info: user.user_info });
  });

  test(`pusher-js ${release} follows its watchlist (P-168, P-169, P-170)`, async (t) => {
    const world = current();
    const [here, away] = [fresh('friend-'), fresh('friend-')];
    const friend = await connect(t, world, generation, { user: { id: here } });
    await friend.signIn(here);

    const client = await connect(t, world, generation, { user: { id: fresh('user-'), watchlist: [here, away] } });
    const [online, offline] = ['online', 'offline'].map((e) => once(client.pusher.user.watchlist, e));
    client.pusher.signin();
    assert.deepEqual((await online).user_ids, [here]);
    assert.deepEqual((await offline).user_ids, [away]);

    const arrives = once(client.pusher.user.watchlist, 'online');
    const late = await connect(t, world, generation, { user: { id: away } });
    await late.signIn(away);
    assert.deepEqual((await arrives).user_ids, [away]);
    const second = await connect(t, world, generation, { user: { id: away } });
    await second.signIn(away);
    second.pusher.disconnect();

    const leaves = once(client.pusher.user.watchlist, 'offline');
    late.pusher.disconnect();
    assert.deepEqual((await leaves).user_ids, [away]);
    assert.equal(client.messages.items.filter((m) => m.event === 'pusher_internal:watchlist_events').length, 3);
  });

  test(`pusher-js ${release} is disconnected for good when its user is terminated, and may come back (P-162, P-163, P-164)`, async (t) => {
    const world = current();
    const id = fresh('user-');
    const client = await connect(t, world, generation, { user: { id } });
    await client.signIn(id);
    const member = await connect(t, world, generation, { user: { id } });
    await member.subscribe(fresh('presence-member'));

    const gone = once(client.pusher.connection, 'disconnected');
    await world.backend.terminateUserConnections(id);
    await gone;
    const error = await client.errors.take((e) => said(e).code === 4009);
    assert.equal(said(error).message, 'You got disconnected by the app.');
    assert.ok(client.messages.items.some((m) => m.event === 'pusher:error' && m.data.code === 4009));

    await member.subscribe(fresh('public-'));
    assert.deepEqual(member.states, ['connecting', 'connected']);
    client.pusher.connect();
    await client.connected();
    await client.messages.take('pusher:signin_success');
  });
}

