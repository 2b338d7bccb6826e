// Jobs that need several models at a time.

/** @typedef {import("./lane.js").Lane} Lane */

/** Looks whether a model that a job waits for is free, in ms. */
const PAUSE = 4;

/**
 * Runs a job when it has each of these models for itself. As the order is always the same, no two jobs wait for each other.
 * @template T
 * @param {Lane[]} lanes Of the models, in an order that is the same for all jobs.
 * @param {(breathe: () => Promise<void>) => Promise<T>} job
 * @param {AbortSignal} signal
 * @param {(running: number) => boolean} [joins] For `Lane.run`, where it needs one model.
 * @returns {Promise<T>}
 */
export function alone([first, ...rest], job, signal, joins) {
  return first.run(async (breathe) => {
    if (rest.length === 0) return job(breathe);
    const queue = new AbortController();
    const leave = () => queue.abort(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    let waits = true;
    const both = (/** @type {() => Promise<void>} */ other) => {
      waits = false;
      return job(async () => {
        await breathe();
        await other();
      });
    };
    const done = alone(rest, both, queue.signal).finally(() => (waits = false));
    done.catch(() => {}); // whoever waits hears of it below, a moment later
    // Until the other is free too, this one's short calls get in, and its end is the end of waiting.
    try {
      while (waits) {
        await breathe();
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    } catch (reason) {
      queue.abort(reason);
    }
    return done.finally(() => signal.removeEventListener("abort", leave));
  }, signal, joins);
}
