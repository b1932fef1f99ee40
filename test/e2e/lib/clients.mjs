// The official browser library in its generations, each configured through the options of its own time.

import { createRequire } from 'node:module';

import { Inbox, once } from './wait.mjs';

const require = createRequire(import.meta.url);

function addresses(world) {
  return { wsHost: '127.0.0.1', wsPort: world.server.port, wssPort: world.server.port, enabledTransports: ['ws', 'wss'] };
}

function form(identity) {
  return { user: JSON.stringify(identity.user ?? {}), mode: identity.mode ?? '' };
}

/** Releases 4 and 5 know encrypted and authEndpoint; a custom wsHost stands in for the cluster. */
function classic(world, identity) {
  return {
    ...addresses(world),
    encrypted: false,
    forceTLS: false,
    disableStats: true,
    authEndpoint: `${world.auth.url}/channel-auth`,
    auth: { params: form(identity) },
  };
}

/** Release 6 turned encrypted into forceTLS, with TLS as the default. */
function six(world, identity) {
  const { encrypted, ...options } = classic(world, identity);
  return { ...options, cluster: 'mt1' };
}

/** Releases 7 and 8 have separate handlers for channels and users; statistics are off unless asked for. */
function modern(world, identity) {
  return {
    ...addresses(world),
    cluster: 'mt1',
    forceTLS: false,
    channelAuthorization: { transport: 'ajax', endpoint: `${world.auth.url}/channel-auth`, params: form(identity) },
    userAuthentication: { transport: 'ajax', endpoint: `${world.auth.url}/user-auth`, params: form(identity) },
  };
}

/** An application's own authorizer in the form of releases 4 to 6. */
function classicAuthorizer(sign) {
  return { authorizer: (channel) => ({ authorize: (socketId, done) => done(null, sign(socketId, channel.name)) }) };
}

/** An application's own authorizer in the form of releases 7 and 8. */
function modernAuthorizer(sign) {
  return {
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, done) => done(null, sign(socketId, channelName)),
    },
  };
}

/** What each generation is called, how it is configured, and which parts of the protocol it has handlers for. */
export const generations = {
  4: { module: 'pusher-js-4', options: classic, authorizer: classicAuthorizer, idle: 'activity_timeout' },
  5: { module: 'pusher-js-5', options: classic, authorizer: classicAuthorizer, idle: 'activity_timeout' },
  6: { module: 'pusher-js-6', options: six, authorizer: classicAuthorizer, idle: 'activityTimeout' },
  7: { module: 'pusher-js-7', options: modern, authorizer: modernAuthorizer, idle: 'activityTimeout', users: true },
  8: { module: 'pusher-js-8', options: modern, authorizer: modernAuthorizer, idle: 'activityTimeout', users: true },
};

/** The library's constructor, as published. */
export function load(generation) {
  // Releases 4 and 5 ask navigator whether they run in React Native; Node has one only from version 21 on.
  globalThis.navigator ??= { product: 'Node' };
  return require(generation.module);
}

/** One instance of the library with everything it reported; the test's end disconnects it. */
export class Client {
  messages = new Inbox();
  errors = new Inbox();
  states = [];

  constructor(t, world, generation, identity = {}, options = {}) {
    const Pusher = load(generation);
    this.pusher = new Pusher(world.key, { ...generation.options(world, identity), ...options });
    this.states.push(this.pusher.connection.state);
    this.pusher.connection.bind('state_change', ({ current }) => this.states.push(current));
    this.pusher.connection.bind('message', (message) => this.messages.push(message));
    this.pusher.connection.bind('error', (error) => this.errors.push(error));
    t.after(() => this.pusher.disconnect());
  }

  get socketId() {
    return this.pusher.connection.socket_id;
  }

  /** Resolves with the client once it is connected. */
  async connected() {
    if (this.pusher.connection.state !== 'connected') {
      await once(this.pusher.connection, 'connected');
    }
    return this;
  }

  /** Starts a subscription and records everything the channel emits, without waiting for it. */
  join(name) {
    const channel = this.pusher.subscribe(name);
    const inbox = new Inbox();
    channel.bind_global((event, data) => inbox.push({ event, data }));
    return { channel, inbox };
  }

  /** Subscribes and waits for the library's word that it succeeded. */
  async subscribe(name) {
    const { channel, inbox } = this.join(name);
    const { data } = await inbox.take('pusher:subscription_succeeded');
    return { channel, inbox, data };
  }

  /** Signs in, and waits until the library has also subscribed the user's own channel. */
  async signIn(id) {
    this.pusher.signin();
    await this.messages.take('pusher:signin_success');
    const own = `#server-to-user-${id}`;
    await this.messages.take((m) => m.event === 'pusher_internal:subscription_succeeded' && m.channel === own);
  }
}

/** A connected client of a generation. */
export function connect(t, world, generation, identity, options) {
  return new Client(t, world, generation, identity, options).connected();
}
