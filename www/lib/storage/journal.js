// What the journal beside a kept file says: which chunks are there, with their checksums, and when the file was used.
//
// It only grows, by records of 16 bytes, each with a check of its own: whenever writing ends in the middle, what was written
// before stands. The last record about a chunk counts. A chunk is on disk before its record is written.

/** Bytes of a chunk, as in `src/format/stored.rs`; a file's last may have fewer. */
export const CHUNK = 256 * 1024;

const RECORD = 16;
/** In place of a chunk's index: a time, in ms as `Date.now()` has it. */
const USED = 0xffff_ffff;
/** Added to a chunk's index: it is no longer there. */
const GONE = 0x8000_0000;

/**
 * @typedef {object} State
 * @property {Map<number, bigint>} sums Of the chunks that are there, by index.
 * @property {number} used When the file was last used.
 * @property {number} end Where the next record goes: after the last good one.
 */

/** @param {number} length Of a file, in bytes. @returns {number} How many chunks it has. */
export function countChunks(length) {
  return Math.ceil(length / CHUNK);
}

/** @param {number} index @param {bigint} sum */
export function chunkRecord(index, sum) {
  return record(index, sum);
}

/** @param {number} index */
export function goneRecord(index) {
  return record(index + GONE, 0n);
}

/** @param {number} time */
export function usedRecord(time) {
  return record(USED, BigInt(Math.round(time)));
}

/**
 * @param {Uint8Array} bytes
 * @returns {State}
 */
export function readJournal(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** @type {State} */
  const state = { sums: new Map(), used: 0, end: 0 };
  for (; state.end + RECORD <= bytes.length; state.end += RECORD) {
    const { end } = state;
    if (view.getUint32(end + 4, true) !== check(view, end)) break;
    const what = view.getUint32(end, true);
    const value = view.getBigUint64(end + 8, true);
    if (what === USED) state.used = Number(value);
    else if (what >= GONE) state.sums.delete(what - GONE);
    else state.sums.set(what, value);
  }
  return state;
}

/** @param {Uint8Array[]} records */
export function joined(records) {
  const all = new Uint8Array(records.length * RECORD);
  records.forEach((record, i) => all.set(record, i * RECORD));
  return all;
}

/** @param {number} what @param {bigint} value */
function record(what, value) {
  const view = new DataView(new ArrayBuffer(RECORD));
  view.setUint32(0, what, true);
  view.setBigUint64(8, value, true);
  view.setUint32(4, check(view, 0), true);
  return new Uint8Array(view.buffer);
}

/**
 * FNV-1a (Fowler, Noll, Vo) of what a record says; zeros, which a crash may leave, are no record.
 * @param {DataView} view
 * @param {number} at
 */
function check(view, at) {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < RECORD; i += 1) {
    if (i >= 4 && i < 8) continue;
    hash = Math.imul(hash ^ view.getUint8(at + i), 0x0100_0193);
  }
  return hash >>> 0;
}
