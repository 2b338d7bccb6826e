// Several pages of one origin share what is kept.
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "./harness.mjs";
import { context, file, page, server, world } from "./library.mjs";

/** A second page of the same origin, with the helpers that the tests need. */
async function another() {
  const other = await context.newPage();
  await other.goto(`${server.url}lib/errors.js`);
  await other.evaluate(async () => {
    globalThis.intab = await import("/lib/intab.js");
  });
  return other;
}

/** Begins a load in a page; `told` has the stages that it told. */
function begin(page, url) {
  return page.evaluate((url) => {
    globalThis.told = [];
    const onProgress = ({ stage }) => globalThis.told.includes(stage) || globalThis.told.push(stage);
    globalThis.loading = intab.load(url, { backend: "cpu", onProgress }).then(
      (model) => model.info.storage,
      ({ name, message }) => ({ name, message }),
    );
  }, url);
}

const outcome = (page) => page.evaluate(() => globalThis.loading);
const told = (page) => page.evaluate(() => globalThis.told);
/** Bytes of the file that were asked for. */
const asked = () =>
  world.seen.reduce((sum, { range }) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    return sum + Number(last) - Number(first) + 1;
  }, 0);

/** Kept once more than the header is on disk. */
const MUCH = 2 ** 20;
const SLOW = "slow/model.gguf?rate=2000000";

test("two pages that load one model download it once; the second waits and says so", async () => {
  const other = await another();
  world.seen.splice(0);
  await begin(page, world.url + SLOW);
  await until(() => world.seen.length > 0, "nothing was asked for");
  await begin(other, world.url + SLOW);
  const [first, second] = [await outcome(page), await outcome(other)];
  assert.deepEqual([first.kept, first.networkBytes], [true, file.length]);
  assert.deepEqual([second.kept, second.networkBytes], [true, 0]);
  assert.ok((await told(other)).includes("waiting"));
  assert.ok(!(await told(page)).includes("waiting"));
  assert.equal(asked(), file.length + 1);
});

test("two loads in one page do so too", async () => {
  world.seen.splice(0);
  const loads = await page.evaluate(async (url) => {
    const load = () => intab.load(url, { backend: "cpu" });
    return (await Promise.all([load(), load(), load()])).map(({ info }) => info.storage.networkBytes);
  }, `${world.url}good/model.gguf`);
  assert.deepEqual(loads.sort((a, b) => a - b), [0, 0, file.length]);
  assert.equal(asked(), file.length + 2);
});

test("a file is kept although somebody else looks whether it is there", async () => {
  const { kept, reason } = await page.evaluate(async (url) => {
    const { keyOf } = await import("/lib/storage/entry.js");
    const { fileLock, hold } = await import("/lib/storage/locks.js");
    const release = await hold(fileLock(await keyOf(url)), { mode: "shared" });
    setTimeout(release, 300);
    return visit(url);
  }, `${world.url}good/model.gguf`);
  assert.deepEqual([kept, reason], [true, "all of it is kept"]);
});

test("where the page that downloads is closed, the one that waits goes on from what is kept", async () => {
  const other = await another();
  world.seen.splice(0);
  await begin(other, world.url + SLOW);
  await until(() => world.seen.some(({ range }) => range === "bytes=262144-4194303"), "nothing was asked for");
  await begin(page, world.url + SLOW);
  // Until something is on disk.
  for (let kept = 0; kept < MUCH; ) {
    kept = await page.evaluate(async () => (await intab.storage.list())[0]?.storedBytes ?? 0);
  }
  await other.close();
  const { kept, networkBytes } = await outcome(page);
  assert.ok(kept && networkBytes < file.length, `${networkBytes}`);
});

test("a load that waits can be aborted", async () => {
  const other = await another();
  world.seen.splice(0);
  await begin(other, `${world.url}slow/model.gguf?rate=200000`);
  await until(() => world.seen.length > 0, "nothing was asked for");
  const error = await page.evaluate(async (url) => {
    const controller = new AbortController();
    const onProgress = ({ stage }) => stage === "waiting" && controller.abort(new RangeError("enough"));
    return errorOf(intab.load(url, { signal: controller.signal, onProgress }));
  }, `${world.url}slow/model.gguf?rate=200000`);
  assert.deepEqual(error, { name: "RangeError", message: "enough" });
  await other.close();
});

test("pages read what is kept at the same time", async () => {
  const url = `${world.url}good/model.gguf`;
  await page.evaluate((url) => visit(url), url);
  const others = [await another(), await another()];
  for (const other of others) await begin(other, url);
  for (const other of others) {
    assert.equal((await outcome(other)).networkBytes, 0);
    assert.ok(!(await told(other)).includes("waiting"));
  }
});

test("a file that a page downloads is not deleted meanwhile, and is afterwards", async () => {
  const other = await another();
  world.seen.splice(0);
  await begin(other, world.url + SLOW);
  await until(() => world.seen.length > 0, "nothing was asked for");
  let list = [];
  while (list.length === 0) list = await page.evaluate(() => intab.storage.list());
  const error = await page.evaluate(() => errorOf(intab.storage.clear()));
  assert.equal(error.name, "StorageError");
  assert.match(error.message, /cannot be deleted: it is being loaded/);
  assert.equal((await outcome(other)).kept, true);
  assert.equal(await page.evaluate(() => intab.storage.clear()), 1);
});
