// What is kept of one file, as the engine reads and writes it during a load: see `src/format/web/keeper.rs`.

import { StorageError } from "../errors.js";
import { VERSION, withoutFragment } from "./entry.js";
import { CHUNK, countChunks } from "./journal.js";
import { fileLock, hold } from "./locks.js";

/**
 * @typedef {import("./shelf.js").Shelf} Shelf
 * @typedef {import("./shelf.js").Volume} Volume
 * @typedef {import("./keeper.js").Keeper} Keeper
 */

/** How long others may look at a file, in ms, before it counts as theirs. */
const LOOK_PATIENCE = 3000;

export class Kept {
  url;
  /** Why nothing of it is kept, as the end of a sentence; null where it is. @type {string | null} */
  problem = null;
  /** Bytes of the file, once they are known. @type {number | null} */
  #length = null;
  #keeper;
  #key;
  /** @type {Shelf | null} */
  #shelf;
  /** @type {Volume | null} */
  #volume = null;
  /** Gives the file's lock back. @type {(() => Promise<void>) | null} */
  #release = null;
  /** Whether nobody else reads or writes it. */
  #isOwn = false;
  /** Whether somebody else was writing it when it was last looked for. */
  #isWritten = false;
  /** What there is of a file that may not be fetched, and so is of no use. @type {{length: number, stored: number} | null} */
  #part = null;
  /** Whether the engine uses it. */
  #started = false;
  /** What was kept is not of the file that is there now. */
  #isStale = false;
  /** Whether all of it was kept at the end. */
  #wasComplete = false;

  /** @param {Keeper} keeper @param {string} url @param {string} key @param {Shelf | null} shelf Null to keep nothing. */
  constructor(keeper, url, key, shelf) {
    this.#keeper = keeper;
    this.url = url;
    this.#key = key;
    this.#shelf = shelf;
  }

  /** In bytes; undefined where nothing is kept. */
  get length() {
    return this.#volume?.header.length ?? this.#part?.length;
  }

  get etag() {
    return this.#volume?.header.etag ?? undefined;
  }

  get lastModified() {
    return this.#volume?.header.lastModified ?? undefined;
  }

  get digest() {
    return this.#volume?.digest ?? undefined;
  }

  get complete() {
    const volume = this.#volume;
    return volume ? volume.sums.size === countChunks(volume.header.length) : this.#wasComplete;
  }

  get storedBytes() {
    const volume = this.#volume;
    if (!volume) return this.#part?.stored ?? 0;
    return Math.min(volume.sums.size * CHUNK, volume.header.length);
  }

  get keeps() {
    return this.#started && this.#volume !== null;
  }

  /** How it stands at the end of a load. */
  get facts() {
    return { url: this.url, bytes: this.#length ?? 0, kept: this.#wasComplete };
  }

  /**
   * Looks for the file: whole, it is shared with whoever reads it; else it is this load's own, and others of the same model
   * wait for it.
   * @param {boolean} readOnly Take it only if it is whole.
   */
  async find(readOnly) {
    if (!this.#shelf) return;
    if (await this.#share()) return;
    if (readOnly) return;
    await this.#keeper.takeTurn();
    for (const end = performance.now() + LOOK_PATIENCE; ; ) {
      this.#release = await hold(fileLock(this.#key), { ifAvailable: true });
      if (this.#release) {
        this.#isOwn = true;
        this.#volume = await this.#shelf.open(this.#key, true);
        return;
      }
      if (await this.#share()) return;
      // Who only looks whether the file is whole has it for a moment.
      if (this.#isWritten || performance.now() > end) break;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.problem = "another page is downloading it for another model";
  }

  /** Takes the file to read it, if it is whole. */
  async #share() {
    // Who may not fetch the file waits for whoever does.
    const patience = this.#keeper.only ? { signal: this.#keeper.signal } : { ifAvailable: true };
    const release = await hold(fileLock(this.#key), { mode: "shared", ...patience });
    this.#isWritten = !release;
    if (!release) return false;
    this.#volume = (await this.#shelf?.open(this.#key, false)) ?? null;
    if (this.complete) {
      this.#release = release;
      return true;
    }
    const { length, storedBytes } = this;
    if (this.#keeper.only && length !== undefined) this.#part = { length, stored: storedBytes };
    this.#letGo();
    await release();
    return false;
  }

  /**
   * @param {boolean} isSame What is kept is of the file as it is now.
   * @param {number} length
   * @param {string | null} [etag]
   * @param {string | null} [lastModified]
   */
  async start(isSame, length, etag = null, lastModified = null) {
    this.#started = true;
    this.#length = length;
    if (!this.#shelf || this.problem !== null) return this.#keeper.mayMiss(this);
    try {
      if (this.#volume && isSame) {
        // A file in a directory has its length from the beginning.
        const needed = this.#shelf.place === "opfs" ? 0 : length - this.storedBytes;
        if (!this.complete) await this.#keeper.makeRoom(this, length, needed);
        return await this.#volume.touch();
      }
      if (this.#keeper.readOnly) return this.#letGo();
      if (!(await this.#own())) {
        this.#letGo();
        this.problem = "another page reads what was kept of it before it changed";
        return this.#keeper.mayMiss(this);
      }
      this.#letGo();
      await this.#shelf.remove(this.#key);
      await this.#keeper.makeRoom(this, length, length);
      const url = withoutFragment(this.url);
      const header = { version: VERSION, url, model: this.#keeper.model, length, etag, lastModified, created: Date.now() };
      this.#volume = await this.#shelf.create(this.#key, header);
      await this.#volume.touch();
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  /** Makes the file this load's own, unless somebody else has it. */
  async #own() {
    if (this.#isOwn) return true;
    const wasOpen = this.#volume !== null;
    this.#letGo();
    await this.#release?.();
    this.#release = await hold(fileLock(this.#key), { ifAvailable: true });
    this.#isOwn = this.#release !== null;
    if (this.#isOwn && wasOpen) this.#volume = (await this.#shelf?.open(this.#key, true)) ?? null;
    return this.#isOwn;
  }

  /** @param {number} index @returns {bigint | undefined} */
  checksum(index) {
    return this.#volume?.sums.get(index);
  }

  /** @param {number} index @param {Uint8Array} into A view of the engine's memory, for this call alone. */
  read(index, into) {
    try {
      return this.#volume?.read(index, into) ?? false;
    } catch {
      return false;
    }
  }

  /**
   * @param {number} index
   * @param {Uint8Array} bytes As for `read`.
   * @param {bigint} sum
   * @returns {void | Promise<void>}
   */
  write(index, bytes, sum) {
    const old = this.#volume?.sums.get(index);
    // What was damaged and is fetched again has to be what it was.
    if (old !== undefined && old !== sum) this.#isStale = true;
    if (!this.#isOwn) return this.#heal(index, bytes.slice(), sum);
    try {
      return this.#volume?.write(index, bytes, sum)?.catch((error) => this.#giveUp(error));
    } catch (error) {
      return this.#giveUp(error);
    }
  }

  /** @param {number} index @param {Uint8Array} bytes @param {bigint} sum In place of a damaged chunk of a shared file. */
  async #heal(index, bytes, sum) {
    try {
      if (this.#keeper.readOnly) return;
      if (await this.#own()) await this.#volume?.write(index, bytes, sum);
      // Whoever has the file finds the damage too, as does the next load.
      else if (!(await this.#share())) this.#letGo();
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  /** @param {string} digest */
  async setDigest(digest) {
    try {
      if (this.#isOwn && this.complete) await this.#volume?.setDigest(digest);
    } catch (error) {
      await this.#giveUp(error);
    }
  }

  /** Forgets what is kept, if nobody else uses it. */
  async drop() {
    try {
      if (!this.#shelf || this.#keeper.readOnly) return;
      const isThere = this.#volume !== null || this.#isOwn;
      const isOwn = isThere && (await this.#own());
      this.#letGo();
      if (isOwn) await this.#shelf.remove(this.#key);
    } catch {
      // A browser that takes storage away has deleted it.
    } finally {
      await this.#end();
    }
  }

  /** Ends its part in the load. */
  async close() {
    if (this.#isStale) return this.drop();
    try {
      this.#wasComplete = this.complete;
      this.#volume?.close();
    } catch {
      // What could not be flushed is not in the journal.
      this.#wasComplete = false;
    } finally {
      this.#volume = null;
      await this.#end();
    }
  }

  async #end() {
    const release = this.#release;
    this.#release = null;
    this.#isOwn = false;
    await release?.();
  }

  #letGo() {
    const volume = this.#volume;
    this.#volume = null;
    try {
      volume?.close();
    } catch {
      // As in `close`.
    }
  }

  /**
   * Goes on without keeping the file, of which nothing is left behind.
   * @param {unknown} error
   */
  async #giveUp(error) {
    this.#letGo();
    if (this.#isOwn) await this.#shelf?.remove(this.#key).catch(() => {});
    await this.#keeper.failed(this, error);
  }

  /** @param {string} problem Why it is not kept. */
  async leave(problem) {
    this.problem = problem;
    if (this.complete) return;
    this.#letGo();
    if (this.#isOwn) await this.#shelf?.remove(this.#key).catch(() => {});
  }

  /** @param {string} problem @returns {StorageError} */
  error(problem) {
    return new StorageError(`${this.url} cannot be kept: ${problem}`, { url: this.url, problem });
  }
}
