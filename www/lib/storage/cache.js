// Files kept in the Cache API (W3C, Service Workers), each in a cache of its own: the header, and a response for every chunk.
// The browser puts a response there as a whole or not at all, so that no journal is needed.

import { CHUNK, countChunks } from "./journal.js";
import { parseHeader } from "./entry.js";

const PREFIX = "intab-model-";
/** Names; nothing is ever requested from there. */
const AT = "https://intab.invalid/";
const [HEADER, USED, DIGEST] = [`${AT}entry.json`, `${AT}used`, `${AT}sha256`];
const [INDEX, SUM] = ["intab-index", "intab-sum"];

/**
 * @typedef {import("./entry.js").Header} Header
 * @typedef {import("./shelf.js").Shelf} Shelf
 * @typedef {import("./shelf.js").Volume} Kept
 */

/** @returns {Promise<Caches | null>} Null where the browser has none for this page. */
export async function openCaches() {
  try {
    await caches.keys();
    return new Caches();
  } catch {
    return null;
  }
}

/** @implements {Shelf} */
class Caches {
  /** @type {"cache"} */
  place = "cache";

  /** @param {string} key */
  async open(key) {
    if (!(await caches.has(PREFIX + key))) return null;
    const cache = await caches.open(PREFIX + key);
    const header = parseHeader((await text(cache, HEADER)) ?? "");
    return header && new Volume(cache, header, await sums(cache), (await text(cache, DIGEST)) || null);
  }

  /** @param {string} key @param {Header} header */
  async create(key, header) {
    await this.remove(key);
    const cache = await caches.open(PREFIX + key);
    await cache.put(HEADER, new Response(JSON.stringify(header)));
    return new Volume(cache, header, new Map(), null);
  }

  /** @param {string} key */
  async remove(key) {
    await caches.delete(PREFIX + key);
  }

  /** @param {number} needed */
  async room(needed) {
    return needed; // what the browser tells has to do
  }

  async entries() {
    const names = (await caches.keys()).filter((name) => name.startsWith(PREFIX));
    return Promise.all(
      names.map(async (name) => {
        const cache = await caches.open(name);
        const header = parseHeader((await text(cache, HEADER)) ?? "");
        const used = Number(await text(cache, USED));
        return { key: name.slice(PREFIX.length), header, stored: (await sums(cache)).size, used };
      }),
    );
  }

  /** @param {string} key @returns {Promise<Blob>} */
  async file(key) {
    const volume = await this.open(key);
    if (!volume) throw new DOMException("the file is gone", "NotFoundError");
    const indices = Array.from({ length: countChunks(volume.header.length) }, (_, index) => index);
    return new Blob(await Promise.all(indices.map((index) => volume.chunk(index))));
  }
}

/** @implements {Kept} */
class Volume {
  header;
  sums;
  digest;
  #cache;

  /** @param {Cache} cache @param {Header} header @param {Map<number, bigint>} sums @param {string | null} digest */
  constructor(cache, header, sums, digest) {
    this.#cache = cache;
    this.header = header;
    this.sums = sums;
    this.digest = digest;
  }

  /** @param {number} index */
  async chunk(index) {
    const response = await this.#cache.match(AT + index);
    if (!response) throw new DOMException("a part of the file is gone", "NotFoundError");
    return response.blob();
  }

  /** @param {number} index */
  async read(index) {
    try {
      return new Uint8Array(await (await this.chunk(index)).arrayBuffer());
    } catch {
      return undefined;
    }
  }

  /** @param {number} index @param {Uint8Array} bytes @param {bigint} sum */
  async write(index, bytes, sum) {
    // A copy, as they lie in memory that changes meanwhile.
    const body = bytes.slice(0, CHUNK);
    await this.#cache.put(AT + index, new Response(body, { headers: { [INDEX]: `${index}`, [SUM]: `${sum}` } }));
    this.sums.set(index, sum);
  }

  /** @param {string | null} digest */
  async setDigest(digest) {
    this.digest = digest;
    await this.#cache.put(DIGEST, new Response(digest ?? ""));
  }

  async touch() {
    await this.#cache.put(USED, new Response(`${Date.now()}`));
  }

  close() {}
}

/** @param {Cache} cache @param {string} name */
async function text(cache, name) {
  return (await cache.match(name))?.text();
}

/** @param {Cache} cache @returns {Promise<Map<number, bigint>>} */
async function sums(cache) {
  const sums = new Map();
  for (const { headers } of await cache.matchAll()) {
    const [index, sum] = [headers.get(INDEX), headers.get(SUM)];
    if (index !== null && sum !== null) sums.set(Number(index), BigInt(sum));
  }
  return sums;
}
