// The journal of a kept file tells the old truth or the new one, wherever writing ended. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CHUNK, chunkRecord, countChunks, goneRecord, joined, readJournal, usedRecord } from "../../www/lib/storage/journal.js";

const records = [chunkRecord(0, 5n), chunkRecord(7, 2n ** 64n - 1n), usedRecord(1_700_000_000_123), chunkRecord(0, 6n), goneRecord(7)];

test("the last record about a chunk counts", () => {
  const { sums, used, end } = readJournal(joined(records));
  assert.deepEqual([...sums], [[0, 6n]]);
  assert.equal(used, 1_700_000_000_123);
  assert.equal(end, 16 * records.length);
});

test("cut anywhere, it says what the whole records before say", () => {
  const all = joined(records);
  for (let length = 0; length <= all.length; length += 1) {
    const whole = Math.floor(length / 16);
    assert.deepEqual(readJournal(all.subarray(0, length)), readJournal(joined(records.slice(0, whole))), `${length} bytes`);
  }
});

test("a record that was not written to its end, or became zeros, ends it", () => {
  const all = joined(records);
  for (let at = 16; at < 32; at += 1) {
    const damaged = all.slice();
    damaged[at] ^= 1;
    assert.deepEqual([...readJournal(damaged).sums], [[0, 5n]], `byte ${at}`);
  }
  const zeroed = all.slice();
  zeroed.fill(0, 16, 32);
  assert.equal(readJournal(zeroed).end, 16);
  assert.deepEqual(readJournal(new Uint8Array(160)), { sums: new Map(), used: 0, end: 0 });
});

test("a file has as many chunks as it takes", () => {
  assert.deepEqual([0, 1, CHUNK, CHUNK + 1].map(countChunks), [0, 1, 1, 2]);
});
