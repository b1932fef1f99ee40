// Runs in the page: a small remote control around the published web build of pusher-js.

window.record = { events: [], states: [], errors: [], user: [] };

window.connect = ({ key, port, user, mode = '' }) => {
  const params = { user: JSON.stringify(user), mode };
  window.pusher = new window.Pusher(key, {
    cluster: 'mt1',
    wsHost: '127.0.0.1',
    wsPort: port,
    forceTLS: false,
    enabledTransports: ['ws', 'wss'],
    channelAuthorization: { endpoint: '/channel-auth', params },
    userAuthentication: { endpoint: '/user-auth', params },
  });
  const { connection } = window.pusher;
  window.record.states.push(connection.state);
  connection.bind('state_change', ({ current }) => window.record.states.push(current));
  connection.bind('error', (error) => window.record.errors.push(error));
  window.pusher.user.bind_global((event, data) => window.record.user.push({ event, data }));
};

window.subscribe = (name) => {
  window.pusher.subscribe(name).bind_global((event, data) => {
    window.record.events.push({ channel: name, event, data: event === 'pusher:subscription_succeeded' ? null : data });
  });
};

window.members = (name) => {
  const ids = [];
  window.pusher.channel(name).members.each(({ id }) => ids.push(id));
  return ids.sort();
};
