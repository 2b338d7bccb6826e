// Files kept in the origin private file system (WHATWG, File System), each in a directory of its own: `data`, as long as
// the file; `journal`; `entry.json`, which comes last, so that a directory without it was not begun in full; `sha256`.

import { chunkRecord, CHUNK, countChunks, joined, readJournal, usedRecord } from "./journal.js";
import { isQuota, parseHeader } from "./entry.js";
import { hold } from "./locks.js";

/**
 * What a worker reads and writes files with; the DOM's types do not have it.
 * @typedef {object} SyncHandle
 * @property {(into: Uint8Array, options: {at: number}) => number} read
 * @property {(from: Uint8Array, options: {at: number}) => number} write
 * @property {(size: number) => void} truncate
 * @property {() => number} getSize
 * @property {() => void} flush
 * @property {() => void} close
 */

/**
 * @typedef {import("./entry.js").Header} Header
 * @typedef {import("./shelf.js").Shelf} Shelf
 * @typedef {import("./shelf.js").Volume} Kept
 */

const DIRECTORY = "intab-models";
/** After as many bytes, or ms, what was written is flushed and told in the journal: no more than that is lost in a crash. */
const COMMIT_BYTES = 8 * 2 ** 20;
const COMMIT_MS = 1000;
/** A file that is made as long as one that is to come, to see whether there is room. */
const PROBE = "room";
const PROBE_LOCK = "intab-room";
/** How exact the answer is: to this part of what is needed. */
const PROBES = 256;
/** A handle of a page that has gone may stay open for a moment. In ms. */
const HANDLE_PATIENCE = 3000;

/** @returns {Promise<Directory | null>} Null where the browser has none for this page. */
export async function openDirectory() {
  try {
    const prototype = /** @type {any} */ (globalThis.FileSystemFileHandle?.prototype);
    // A page lists and deletes without it; then it is the worker that has it.
    const isWorker = typeof globalThis.document === "undefined";
    if (!prototype || (isWorker && !prototype.createSyncAccessHandle)) return null;
    const root = await navigator.storage.getDirectory();
    return new Directory(await root.getDirectoryHandle(DIRECTORY, { create: true }));
  } catch {
    return null;
  }
}

/** @implements {Shelf} */
class Directory {
  /** @type {"opfs"} */
  place = "opfs";
  #root;

  /** @param {FileSystemDirectoryHandle} root */
  constructor(root) {
    this.#root = root;
  }

  /** @param {string} key @param {boolean} writable */
  async open(key, writable) {
    const folder = await absentAsNull(this.#root.getDirectoryHandle(key));
    const found = folder && (await look(folder));
    if (!folder || !found?.header) return null;
    const data = await folder.getFileHandle("data");
    if ((await data.getFile()).size !== found.header.length) return null;
    const digest = await absentAsNull(text(folder, "sha256"));
    return Volume.open(folder, found.header, found.state, digest, writable);
  }

  /** @param {string} key @param {Header} header */
  async create(key, header) {
    await this.remove(key);
    const folder = await this.#root.getDirectoryHandle(key, { create: true });
    try {
      await write(folder, "data", (handle) => resize(handle, header.length));
      await write(folder, "journal", () => {});
      const bytes = new TextEncoder().encode(JSON.stringify(header));
      await write(folder, "entry.json", (handle) => put(handle, bytes, 0));
      return await Volume.open(folder, header, readJournal(new Uint8Array()), null, true);
    } catch (error) {
      await this.remove(key);
      throw error;
    }
  }

  /** @param {string} key */
  async remove(key) {
    await absentAsNull(this.#root.removeEntry(key, { recursive: true }));
  }

  /** @param {number} needed */
  async room(needed) {
    const fits = (/** @type {SyncHandle} */ handle, /** @type {number} */ size) => {
      try {
        resize(handle, size);
        return true;
      } catch (error) {
        if (isQuota(error)) return false;
        throw error;
      }
    };
    let room = 0;
    // Two that look at a time would find less.
    const release = await hold(PROBE_LOCK, {});
    try {
      await write(this.#root, PROBE, (handle) => {
        if (fits(handle, needed)) room = needed;
        else for (let step = needed / 2; step >= needed / PROBES; step /= 2) if (fits(handle, Math.floor(room + step))) room += step;
      });
    } finally {
      await absentAsNull(this.#root.removeEntry(PROBE)).finally(() => release?.());
    }
    return Math.floor(room);
  }

  async entries() {
    const entries = [];
    const folders = /** @type {any} */ (this.#root).entries();
    for await (const [key, folder] of folders) {
      if (folder.kind !== "directory") continue;
      const found = await look(folder);
      entries.push({ key, header: found?.header ?? null, stored: found?.state.sums.size ?? 0, used: found?.state.used ?? 0 });
    }
    return entries;
  }

  /** @param {string} key @returns {Promise<Blob>} */
  async file(key) {
    const folder = await this.#root.getDirectoryHandle(key);
    return (await folder.getFileHandle("data")).getFile();
  }
}

/**
 * A kept file, as one page writes it or several read it.
 * @implements {Kept}
 */
class Volume {
  header;
  sums;
  digest;
  #folder;
  /** @type {SyncHandle | null} */
  #data = null;
  /** Where a browser lets one page alone have a handle, the others read this. @type {Blob | null} */
  #blob = null;
  /** Of the page that writes. @type {SyncHandle | null} */
  #journal = null;
  #end;
  /** Records of chunks that were written and not flushed. @type {Uint8Array[]} */
  #pending = [];
  #pendingBytes = 0;
  #committedAt = performance.now();

  /**
   * @param {FileSystemDirectoryHandle} folder
   * @param {Header} header
   * @param {import("./journal.js").State} state
   * @param {string | null} digest
   * @param {boolean} writable
   */
  static async open(folder, header, state, digest, writable) {
    const volume = new Volume(folder, header, state, digest);
    try {
      await volume.#open(writable);
      return volume;
    } catch (error) {
      volume.close();
      throw error;
    }
  }

  /**
   * @param {FileSystemDirectoryHandle} folder
   * @param {Header} header
   * @param {import("./journal.js").State} state
   * @param {string | null} digest
   */
  constructor(folder, header, state, digest) {
    this.#folder = folder;
    this.header = header;
    this.sums = state.sums;
    this.digest = digest;
    this.#end = state.end;
  }

  /** @param {boolean} writable */
  async #open(writable) {
    const file = await this.#folder.getFileHandle("data");
    if (writable) {
      this.#data = await syncHandle(file, "readwrite");
      this.#journal = await syncHandle(await this.#folder.getFileHandle("journal"), "readwrite");
      return;
    }
    try {
      this.#data = await /** @type {any} */ (file).createSyncAccessHandle({ mode: "read-only" });
    } catch {
      this.#blob = await file.getFile();
    }
  }

  /** @param {number} index @param {Uint8Array} into */
  read(index, into) {
    const at = index * CHUNK;
    if (this.#data) return this.#data.read(into, { at }) === into.length;
    const end = Math.min(at + CHUNK, this.header.length);
    return slice(this.#blob, at, end);
  }

  /** @param {number} index @param {Uint8Array} bytes @param {bigint} sum */
  write(index, bytes, sum) {
    if (!this.#data || !this.#journal) return;
    put(this.#data, bytes, index * CHUNK);
    this.sums.set(index, sum);
    this.#pending.push(chunkRecord(index, sum));
    this.#pendingBytes += bytes.length;
    const isLast = this.sums.size === countChunks(this.header.length);
    const isLate = performance.now() - this.#committedAt >= COMMIT_MS;
    if (this.#pendingBytes >= COMMIT_BYTES || isLate || isLast) this.#commit();
  }

  #commit() {
    if (!this.#data || !this.#journal || this.#pending.length === 0) return;
    this.#data.flush();
    this.#append(this.#journal, this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#committedAt = performance.now();
  }

  /** @param {SyncHandle} journal @param {Uint8Array[]} records */
  #append(journal, records) {
    const bytes = joined(records);
    put(journal, bytes, this.#end);
    journal.flush();
    this.#end += bytes.length;
  }

  /** @param {string | null} digest */
  async setDigest(digest) {
    this.digest = digest;
    if (digest === null) await absentAsNull(this.#folder.removeEntry("sha256"));
    else await write(this.#folder, "sha256", (handle) => put(handle, new TextEncoder().encode(digest), 0));
  }

  async touch() {
    const now = [usedRecord(Date.now())];
    if (this.#journal) return this.#append(this.#journal, now);
    await this.#asReader(now);
  }

  /** @param {Uint8Array[]} records From one of several pages that read. */
  async #asReader(records) {
    try {
      const file = await this.#folder.getFileHandle("journal");
      const journal = /** @type {SyncHandle} */ (await /** @type {any} */ (file).createSyncAccessHandle());
      try {
        this.#end = journal.getSize() - (journal.getSize() % 16);
        this.#append(journal, records);
      } finally {
        journal.close();
      }
    } catch {
      // Another page writes there in this moment; its word on when the file was used is as good.
    }
  }

  close() {
    try {
      this.#commit();
    } finally {
      this.#data?.close();
      this.#journal?.close();
      this.#data = this.#journal = this.#blob = null;
    }
  }
}

/** @param {Blob | null} blob @param {number} start @param {number} end */
async function slice(blob, start, end) {
  try {
    return blob ? new Uint8Array(await blob.slice(start, end).arrayBuffer()) : undefined;
  } catch {
    return undefined; // the file is no longer what it was
  }
}

/** @param {FileSystemDirectoryHandle} folder What its header and its journal say. */
async function look(folder) {
  try {
    const header = parseHeader(await text(folder, "entry.json"));
    const journal = await (await folder.getFileHandle("journal")).getFile();
    return { header, state: readJournal(new Uint8Array(await journal.arrayBuffer())) };
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}

/** @param {FileSystemDirectoryHandle} folder @param {string} name */
async function text(folder, name) {
  return (await (await folder.getFileHandle(name)).getFile()).text();
}

/** @param {SyncHandle} handle @param {Uint8Array} bytes @param {number} at */
function put(handle, bytes, at) {
  if (handle.write(bytes, { at }) !== bytes.length) throw noRoom();
}

/** @param {SyncHandle} handle @param {number} size */
function resize(handle, size) {
  handle.truncate(size);
  if (handle.getSize() !== size) throw noRoom();
}

/** What browsers should throw: Chromium's private windows do not. */
function noRoom() {
  return new DOMException("there is no room", "QuotaExceededError");
}

/** @param {FileSystemDirectoryHandle} folder @param {string} name @param {(handle: SyncHandle) => void} fill */
async function write(folder, name, fill) {
  const handle = await syncHandle(await folder.getFileHandle(name, { create: true }), "readwrite");
  try {
    fill(handle);
    handle.flush();
  } finally {
    handle.close();
  }
}

/**
 * @param {FileSystemFileHandle} file
 * @param {string} mode
 * @returns {Promise<SyncHandle>}
 */
async function syncHandle(file, mode) {
  for (const end = performance.now() + HANDLE_PATIENCE; ; ) {
    try {
      return await /** @type {any} */ (file).createSyncAccessHandle({ mode });
    } catch (error) {
      const isTaken = error instanceof DOMException && error.name === "NoModificationAllowedError";
      if (!isTaken || performance.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** @template T @param {Promise<T>} promise @returns {Promise<T | null>} Null where what was asked for is not there. */
async function absentAsNull(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof DOMException && error.name === "NotFoundError") return null;
    throw error;
  }
}
