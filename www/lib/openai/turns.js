// Requests on one model take turns, in the order in which they came: as many at a time as the model writes texts together.

/** What a model does is in order already; this keeps whole requests in order that call it several times. */
class Turns {
  /** Those that are under way, then those that wait. @type {{begin: () => void}[]} */
  #entered = [];

  /** @param {number} most May be under way at a time. @returns {Turn} */
  enter(most) {
    let begin = () => {};
    const ready = /** @type {Promise<void>} */ (new Promise((resolve) => (begin = resolve)));
    const own = { begin };
    const admit = () => this.#entered.slice(0, most).forEach((one) => one.begin());
    this.#entered.push(own);
    admit();
    const leave = () => {
      this.#entered = this.#entered.filter((one) => one !== own);
      admit();
    };
    return { ready, leave };
  }
}

/**
 * @typedef {object} Turn
 * @property {Promise<unknown>} ready Resolves when enough of those who came before have left.
 * @property {() => void} leave To be called in the end, also by who has not waited for it. Again, it does nothing.
 */

/** @type {WeakMap<object, Turns>} */
const turns = new WeakMap();

/**
 * A place in the queue of a model.
 * @param {{info: {maxBatch?: number}}} model
 * @returns {Turn}
 */
export function enter(model) {
  let queue = turns.get(model);
  if (!queue) turns.set(model, (queue = new Turns()));
  return queue.enter(model.info.maxBatch ?? 1);
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
