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
 * @param {import("./shelf.js").Shelf} shelf
 * @param {number} needed
 * @returns {Promise<number>} Bytes that are free: fewer than needed only where they are not to be had.
 */
export async function room(shelf, needed) {
  const told = await available();
  if (told < needed) return told;
  const found = (await shelf.room(needed + MARGIN)) - MARGIN;
  return found < needed ? Math.max(0, found) : told;
}

/**
 * Deletes the models that were not used for the longest time until there is room; none where all of them would not do.
 * @param {import("./shelf.js").Shelf} shelf
 * @param {number} needed
 * @param {string} spared A model that is not deleted.
 * @returns {Promise<number>} Bytes that are free then, as `room` has it.
 */
export async function evict(shelf, needed, spared) {
  let free = await room(shelf, needed);
  const models = free < needed ? await enough(shelf, spared, needed - free) : [];
  for (const entries of models) {
    for (const { key } of entries) {
      const release = await hold(fileLock(key), { ifAvailable: true });
      if (release) await shelf.remove(key).finally(release);
    }
    free = await room(shelf, needed);
    if (free >= needed) break;
  }
  return free;
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
