// What is kept, for the page to see and to delete.

import { StorageError } from "../errors.js";
import { keyOf, withoutFragment } from "./entry.js";
import { CHUNK, countChunks } from "./journal.js";
import { fileLock, hold } from "./locks.js";
import { openShelf } from "./shelf.js";

/**
 * @typedef {import("../types.js").StoredFile} StoredFile
 * @typedef {import("../types.js").StorageUsage} StorageUsage
 */

/** @returns {Promise<StoredFile[]>} The file that was used last comes first. */
export async function list() {
  const shelf = await openShelf();
  const files = (await shelf?.entries()) ?? [];
  const listed = files.flatMap(({ header, stored, used }) => {
    if (!header) return [];
    const { url, model, length, etag, created } = header;
    const complete = stored === countChunks(length);
    const storedBytes = complete ? length : Math.min(stored * CHUNK, length);
    return [{ url, model, bytes: length, storedBytes, complete, etag, created: new Date(created), used: new Date(used) }];
  });
  return listed.sort((a, b) => Number(b.used) - Number(a.used));
}

/**
 * Deletes files.
 * @param {string | null} url Of a file, or of a model, as it was loaded; null for all.
 * @returns {Promise<number>} How many files there were.
 * @throws {StorageError} For a file that a load uses now; the others are deleted.
 */
export async function remove(url) {
  const shelf = await openShelf();
  if (!shelf) return 0;
  const wanted = url === null ? null : withoutFragment(url);
  const meant = (await shelf.entries()).filter(
    ({ header }) => wanted === null || header?.url === wanted || header?.model === wanted,
  );
  /** @type {string | null} */
  let used = null;
  for (const { key, header } of meant) {
    const release = await hold(fileLock(key), { ifAvailable: true });
    if (release) await shelf.remove(key).finally(release);
    else used = header?.url ?? key;
  }
  if (used !== null) {
    const problem = "it is being loaded: wait until it is, or abort that";
    throw new StorageError(`${used} cannot be deleted: ${problem}`, { url: used, problem });
  }
  return meant.length;
}

/** @returns {Promise<StorageUsage>} */
export async function usage() {
  const { quota = null, usage = null } = (await navigator.storage?.estimate?.()) ?? {};
  const files = await list();
  return {
    place: (await openShelf())?.place ?? null,
    models: files.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
    used: usage,
    quota,
    available: quota === null || usage === null ? null : Math.max(0, quota - usage),
    persisted: (await navigator.storage?.persisted?.()) ?? false,
  };
}

/** @returns {Promise<boolean>} Whether the browser will not delete on its own what is kept: it may ask a person, or refuse. */
export async function persist() {
  return (await navigator.storage?.persist?.()) ?? false;
}

/** @param {string} url @returns {Promise<Blob | null>} The file, null where it is not kept as a whole. */
export async function keptFile(url) {
  const shelf = await openShelf();
  if (!shelf) return null;
  const key = await keyOf(url);
  const release = await hold(fileLock(key), { mode: "shared", ifAvailable: true });
  if (!release) return null;
  try {
    const entry = (await shelf.entries()).find((entry) => entry.key === key);
    const isWhole = entry?.header && entry.stored === countChunks(entry.header.length);
    return isWhole ? await shelf.file(key) : null;
  } finally {
    await release();
  }
}
