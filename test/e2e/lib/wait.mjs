// Waiting with a deadline. Nothing in the suite sleeps: every wait ends on the event it is about, or fails naming it.

/** Milliseconds any single wait may take before the test fails. */
export const DEADLINE = 15_000;

/** Rejects with an error that names what was awaited when promise has not settled within ms. */
export function withDeadline(promise, what, ms = DEADLINE) {
  let timer;
  const expired = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no ${what} within ${ms} ms`)), ms);
  });
  return Promise.race([promise, expired]).finally(() => clearTimeout(timer));
}

/** Resolves with the first payload of an event, for pusher-js emitters (bind) and Node emitters (once) alike. */
export function once(emitter, event, ms = DEADLINE) {
  const arrived = new Promise((resolve) => {
    if (typeof emitter.bind !== 'function') {
      emitter.once(event, resolve);
      return;
    }
    const callback = (data) => {
      emitter.unbind(event, callback);
      resolve(data);
    };
    emitter.bind(event, callback);
  });
  return withDeadline(arrived, `event ${event}`, ms);
}

/**
 * Asks condition again until it returns something truthy, and resolves with that. For facts that announce themselves by
 * no event, such as a gauge; everything else is awaited by its event.
 */
export async function until(condition, what, ms = DEADLINE) {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`${what} did not become true within ${ms} ms`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/**
 * Everything that arrived, in order. take() hands out each item once, waiting for it if need be; items keeps them all, so
 * that a test can also state what did not come before a later item.
 */
export class Inbox {
  items = [];
  #untaken = [];
  #waiters = [];

  push(item) {
    this.items.push(item);
    const waiter = this.#waiters.find((w) => w.match(item));
    if (!waiter) {
      this.#untaken.push(item);
      return;
    }
    this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
    waiter.resolve(item);
  }

  /** Resolves with the first item not yet taken that satisfies match; a string matches the item's event name. */
  take(match, ms = DEADLINE) {
    const accepts = typeof match === 'string' ? (item) => item.event === match : match;
    const index = this.#untaken.findIndex(accepts);
    if (index >= 0) {
      return Promise.resolve(this.#untaken.splice(index, 1)[0]);
    }
    const waiter = { match: accepts };
    const arrived = new Promise((resolve) => {
      waiter.resolve = resolve;
    });
    this.#waiters.push(waiter);
    return withDeadline(arrived, `item matching ${match} (arrived: ${JSON.stringify(this.items)})`, ms).finally(() => {
      this.#waiters = this.#waiters.filter((w) => w !== waiter);
    });
  }

  /** The names of all events so far, in order of arrival. */
  events() {
    return this.items.map((item) => item.event);
  }
}
