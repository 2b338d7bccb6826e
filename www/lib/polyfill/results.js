// How an operation's result reaches the page: at once, chunk by chunk, or as a number; and how an abort gets in.

import { toException } from "./errors.js";
import { lifeOf } from "./life.js";
import { requireActiveDocument } from "./page.js";

/**
 * What makes a text: it tells the chunks, and stops soon when the signal fires.
 * @typedef {(how: {signal: AbortSignal, onChunk: (chunk: string) => void}) => Promise<void>} Operation
 */

/**
 * @param {object} owner
 * @param {AbortSignal | undefined} given
 * @param {Operation} operation
 * @returns {Promise<string>} All chunks. Rejects with an abort's reason at once.
 */
export async function aggregate(owner, given, operation) {
  let text = "";
  await run(owner, given, (signal) => operation({ signal, onChunk: (chunk) => (text += chunk) }));
  return text;
}

/**
 * @template T
 * @param {object} owner
 * @param {AbortSignal | undefined} given
 * @param {(signal: AbortSignal) => Promise<T>} operation
 * @returns {Promise<T>} Rejects with an abort's reason at once.
 */
export async function run(owner, given, operation) {
  requireActiveDocument();
  const signal = either(owner, given);
  signal.throwIfAborted();
  return abortable(signal, settled(operation(signal)));
}

/**
 * @param {object} owner
 * @param {AbortSignal | undefined} given
 * @param {Operation} operation
 * @returns {ReadableStream<string>} Its chunks; errors with an abort's reason. Cancelling it ends the operation.
 */
export function stream(owner, given, operation) {
  requireActiveDocument();
  const aborted = either(owner, given);
  aborted.throwIfAborted();
  const cancelled = new AbortController();
  /** @type {ReadableStreamDefaultController<string>} */
  let controller;
  let open = true;
  const fail = () => end(() => controller.error(aborted.reason));
  const end = (/** @type {() => void} */ how) => {
    // The signal may be the object's own, which lives for long.
    aborted.removeEventListener("abort", fail);
    if (open) how();
    open = false;
  };
  const chunks = new ReadableStream({
    start(given) {
      controller = given;
    },
    cancel() {
      end(() => {});
      cancelled.abort();
    },
  });
  aborted.addEventListener("abort", fail, { once: true });
  const signal = AbortSignal.any([aborted, cancelled.signal]);
  const onChunk = (/** @type {string} */ chunk) => open && controller.enqueue(chunk);
  settled(operation({ signal, onChunk })).then(
    () => end(() => controller.close()),
    (error) => end(() => controller.error(error)),
  );
  return chunks;
}

/**
 * @template T
 * @param {AbortSignal | undefined} signal
 * @param {Promise<T>} promise
 * @returns {Promise<T>} As the promise, but rejects with the signal's reason as soon as that fires.
 */
export function abortable(signal, promise) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

/** @param {object} owner @param {AbortSignal | undefined} given */
function either(owner, given) {
  const life = lifeOf(owner);
  return given ? AbortSignal.any([life, given]) : life;
}

/**
 * The same with the drafts' exceptions.
 * @template T
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function settled(promise) {
  return promise.catch((error) => {
    throw toException(error);
  });
}
