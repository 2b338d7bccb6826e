// Requests on one model take turns, in the order in which they came.

/** What a model does is in order already; this keeps whole requests in order that call it several times. */
class Turns {
  /** @type {Promise<unknown>} */
  #last = Promise.resolve();

  /** @returns {Turn} */
  enter() {
    const ready = this.#last;
    let leave = () => {};
    const left = /** @type {Promise<void>} */ (new Promise((resolve) => (leave = resolve)));
    this.#last = Promise.all([ready, left]);
    return { ready, leave };
  }
}

/**
 * @typedef {object} Turn
 * @property {Promise<unknown>} ready Resolves when all who came before have left.
 * @property {() => void} leave To be called in the end, also by who has not waited for it. Again, it does nothing.
 */

/** @type {WeakMap<object, Turns>} */
const turns = new WeakMap();

/**
 * A place in the queue of a model.
 * @param {object} model
 * @returns {Turn}
 */
export function enter(model) {
  let queue = turns.get(model);
  if (!queue) turns.set(model, (queue = new Turns()));
  return queue.enter();
}

/**
 * @param {Promise<unknown>} ready
 * @param {AbortSignal} signal
 * @returns {Promise<void>} Rejects with the signal's reason as soon as it fires.
 */
export async function turnOf(ready, signal) {
  await soon(ready, signal);
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {AbortSignal} signal
 * @returns {Promise<T>} The same, or a rejection with the signal's reason as soon as that fires.
 */
export async function soon(promise, signal) {
  promise.catch(() => {}); // nobody waits for it where the signal was first
  signal.throwIfAborted();
  let forget = () => {};
  const aborted = /** @type {Promise<never>} */ (
    new Promise((_, reject) => {
      const give = () => reject(signal.reason);
      signal.addEventListener("abort", give, { once: true });
      forget = () => signal.removeEventListener("abort", give);
    })
  );
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    forget();
  }
}
