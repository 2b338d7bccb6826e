// Where a browser keeps files: in the origin private file system, else in the Cache API, else nowhere.

import { openCaches } from "./cache.js";
import { openDirectory } from "./opfs.js";

/** @typedef {import("./entry.js").Header} Header */

/**
 * A kept file, open.
 * @typedef {object} Volume
 * @property {Header} header
 * @property {Map<number, bigint>} sums Checksums of the chunks that are there, by index.
 * @property {string | null} digest `sha256-…` of the whole, where it was compared.
 * @property {(index: number, into: Uint8Array) => boolean | Promise<Uint8Array | undefined>} read Whether the chunk is in
 *   `into` now, or it comes later.
 * @property {(index: number, bytes: Uint8Array, sum: bigint) => void | Promise<void>} write
 * @property {(digest: string | null) => Promise<void>} setDigest
 * @property {() => Promise<void>} touch The file is used now.
 * @property {() => void} close What was written is kept then.
 */

/**
 * A file as it is listed.
 * @typedef {object} Entry
 * @property {string} key
 * @property {Header | null} header Null for what is left of a file that was not begun in full.
 * @property {number} stored How many chunks are there.
 * @property {number} used
 */

/**
 * @typedef {object} Shelf
 * @property {"opfs" | "cache"} place
 * @property {(key: string, writable: boolean) => Promise<Volume | null>} open Null where there is no such file, or nothing
 *   that can be used of it.
 * @property {(key: string, header: Header) => Promise<Volume>} create In place of one that is there, with room for all of it.
 * @property {(key: string) => Promise<void>} remove
 * @property {(needed: number) => Promise<number>} room Bytes that there is room for, up to those needed: browsers tell more than
 *   they give.
 * @property {() => Promise<Entry[]>} entries
 * @property {(key: string) => Promise<Blob>} file A file that is there as a whole.
 */

/** @type {Promise<Shelf | null> | undefined} */
let shelf;

/** @returns {Promise<Shelf | null>} Null where this page may keep nothing. */
export function openShelf() {
  shelf ??= first();
  return shelf;
}

async function first() {
  if (!globalThis.navigator?.locks || !globalThis.crypto?.subtle) return null;
  return (await openDirectory()) ?? (await openCaches());
}
