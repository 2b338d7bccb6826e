// The storage of one load: which of its files are kept, and how.

import { StorageError, StorageFullError } from "../errors.js";
import { isQuota, keyOf, withoutFragment } from "./entry.js";
import { Kept } from "./kept.js";
import { hold, modelLock } from "./locks.js";
import { available, evict, full, room } from "./room.js";
import { openShelf } from "./shelf.js";

/**
 * @typedef {object} Wish
 * @property {string} model The address of the model.
 * @property {import("../types.js").CacheMode} cache
 * @property {"lru"} [evict]
 * @property {boolean} [readOnly] Read what is kept as a whole, and keep nothing.
 * @property {AbortSignal} signal
 * @property {(event: object) => void} emit
 */

export class Keeper {
  /** What made a load fail that demands to be kept. @type {Error | null} */
  failure = null;
  model;
  readOnly;
  #wish;
  /** @type {Kept[]} */
  #files = [];
  /** Gives the model's lock back, once it is there. @type {Promise<() => Promise<void>> | null} */
  #turn = null;
  /** @type {Promise<boolean> | null} */
  #holds = null;
  #traffic = { storedBytes: 0, networkBytes: 0, readMs: 0 };
  /** @type {import("./shelf.js").Shelf | null} */
  #shelf = null;

  /** @param {Wish} wish */
  constructor(wish) {
    this.#wish = wish;
    this.model = withoutFragment(wish.model);
    this.readOnly = wish.readOnly === true || wish.cache === "only";
  }

  /** Whether nothing may be fetched. */
  get only() {
    return this.#wish.cache === "only";
  }

  get signal() {
    return this.#wish.signal;
  }

  /** Whether the load fails where a file cannot be kept. */
  get required() {
    return this.#wish.cache === "require";
  }

  /** @param {string} url @returns {Promise<Kept>} */
  async open(url) {
    const isWanted = this.#wish.cache !== "off" && /^https?:/.test(url);
    this.#shelf = isWanted ? await openShelf() : null;
    const kept = new Kept(this, url, this.#shelf ? await keyOf(url) : "", this.#shelf);
    if (!this.#shelf) kept.problem = isWanted ? "this browser keeps nothing for this page" : "nothing was to be kept";
    this.#files.push(kept);
    try {
      await kept.find(this.readOnly);
    } catch (error) {
      if (this.#wish.signal.aborted) throw error;
      await this.failed(kept, error);
    }
    return kept;
  }

  /** @returns {Promise<boolean>} Whether any file of the model is kept. */
  holds() {
    this.#holds ??= openShelf().then(async (shelf) => {
      const entries = (await shelf?.entries()) ?? [];
      return entries.some(({ header }) => header?.model === this.model);
    });
    return this.#holds;
  }

  /** @param {number} storedBytes @param {number} networkBytes @param {number} readMs */
  tell(storedBytes, networkBytes, readMs) {
    this.#traffic = { storedBytes, networkBytes, readMs };
  }

  /**
   * Waits until no other load downloads files of this model. As a load waits for nothing else, and before it has files of its
   * own, no two wait for each other.
   */
  async takeTurn() {
    const { signal, emit } = this.#wish;
    const name = modelLock(this.model);
    this.#turn ??= hold(name, { ifAvailable: true }).then(async (release) => {
      if (release) return release;
      emit({ stage: "waiting", loaded: 0, total: 0 });
      return /** @type {() => Promise<void>} */ (await hold(name, { signal }));
    });
    await this.#turn;
  }

  /**
   * Sees that there is room for the rest of a file, and tells so, before it is fetched.
   * @param {Kept} kept
   * @param {number} total
   * @param {number} needed Bytes of storage that it takes besides what it has.
   */
  async makeRoom(kept, total, needed) {
    const shelf = this.#shelf;
    if (!shelf) return;
    const free = await (this.#wish.evict === "lru" ? evict(shelf, needed, this.model) : room(shelf, needed));
    this.#wish.emit({ stage: "storage", loaded: kept.storedBytes, total, needed, available: free });
    if (free < needed) throw full(kept.url, needed, free);
  }

  /** @param {Kept} kept One that is not kept, which is no matter unless it was demanded. */
  mayMiss(kept) {
    if (!this.required) return;
    this.failure ??= kept.error(kept.problem ?? "");
    throw this.failure;
  }

  /**
   * A file cannot be kept, so that the model would not be whole: what this load began of the others goes too.
   * @param {Kept} kept
   * @param {unknown} error
   */
  async failed(kept, error) {
    const told = isQuota(error) ? full(kept.url, kept.facts.bytes, await available()) : error;
    kept.problem = told instanceof StorageError ? String(told.details.problem) : `this browser's storage failed (${told})`;
    if (told instanceof StorageFullError) {
      for (const file of this.#files) await file.leave(kept.problem);
    }
    if (!this.required) return;
    this.failure ??= told instanceof StorageError ? told : kept.error(kept.problem);
    throw this.failure;
  }

  /** @param {"all" | "begun" | "none"} drop Which files are of no more use: all, or those that are not whole. */
  async end(drop) {
    for (const file of this.#files) {
      const isUseless = drop === "all" || (drop === "begun" && !file.complete);
      await (isUseless ? file.drop() : file.close());
    }
    const release = await this.#turn?.catch(() => null);
    await release?.();
  }

  /** @returns {import("../types.js").StorageInfo} After the end. */
  report() {
    const files = this.#files.map((file) => file.facts).filter(({ bytes }) => bytes > 0);
    const kept = files.length > 0 && files.every((file) => file.kept);
    const problem = this.#files.find((file) => file.problem !== null)?.problem ?? "a part of it could not be fetched";
    const reason = kept ? "all of it is kept" : problem;
    return { place: this.#shelf?.place ?? null, kept, reason, ...this.#traffic, files };
  }
}
