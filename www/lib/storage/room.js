// How much there is room for, and what goes to make more.

import { StorageFullError } from "../errors.js";
import { fileLock, hold } from "./locks.js";

/** For journals, and for what browsers count besides. */
const MARGIN = 2 ** 20;

/** @typedef {import("./shelf.js").Entry} Entry */

/** @returns {Promise<number>} Bytes that this origin may still store, as the browser says; infinite where it does not. */
export async function available() {
  const { quota, usage = 0 } = (await navigator.storage?.estimate?.()) ?? {};
  return quota === undefined ? Infinity : Math.max(0, quota - usage - MARGIN);
}

/**
 * Sees that there is room, if need be by deleting the models that were not used for the longest time.
 * @param {import("./shelf.js").Shelf} shelf
 * @param {{url: string, model: string, needed: number, evict: boolean}} wish `model` is not deleted.
 * @throws {StorageFullError} Nothing was deleted, unless a page began to use a file in this moment.
 */
export async function makeRoom(shelf, { url, model, needed, evict }) {
  let free = await available();
  if (free >= needed) return;
  for (const entries of evict ? await enough(shelf, model, needed - free) : []) {
    for (const { key } of entries) {
      const release = await hold(fileLock(key), { ifAvailable: true });
      if (release) await shelf.remove(key).finally(release);
    }
    free = await available();
    if (free >= needed) return;
  }
  throw full(url, needed, free);
}

/**
 * @param {string} url
 * @param {number} needed
 * @param {number} free
 */
export function full(url, needed, free) {
  const problem = `it needs ${needed} bytes of this browser's storage, of which ${free} are free`;
  return new StorageFullError(`${url} cannot be kept: ${problem}`, { url, problem, needed, available: free });
}

/**
 * The models whose files together have as many bytes, those that were not used for the longest time first; none where all
 * do not.
 * @param {import("./shelf.js").Shelf} shelf
 * @param {string} spared
 * @param {number} bytes
 */
async function enough(shelf, spared, bytes) {
  /** @type {Map<string, Entry[]>} */
  const models = new Map();
  for (const entry of await shelf.entries()) {
    const model = entry.header?.model ?? entry.key;
    if (model !== spared) models.set(model, [...(models.get(model) ?? []), entry]);
  }
  const lastUse = (/** @type {Entry[]} */ entries) => Math.max(...entries.map(({ used }) => used));
  const oldestFirst = [...models.values()].sort((a, b) => lastUse(a) - lastUse(b));
  const all = oldestFirst.flat().reduce((sum, { header }) => sum + (header?.length ?? 0), 0);
  return all >= bytes ? oldestFirst : [];
}
