// What the browser's storage keeps of models, and when it is used.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { runFirstInWorker } from "./harness.mjs";
import { context, file, page, server, world } from "./library.mjs";

const CHUNK = 256 * 1024;

/** Loads in the page; see `visit` in library.mjs. */
const visit = (path, options) => page.evaluate(([url, options]) => visit(url, options), [world.url + path, options]);
const errorOf = (path, options) =>
  page.evaluate(
    ([url, options]) => visit(url, options).then(() => null, ({ name, message, details }) => ({ name, message, details })),
    [world.url + path, options],
  );
const list = () => page.evaluate(() => intab.storage.list());
/** How many bytes were asked for, and in how many requests, since the last call. */
function asked() {
  const ranges = world.seen.splice(0).map(({ range }) => /^bytes=(\d+)-(\d+)$/.exec(range ?? ""));
  return { requests: ranges.length, bytes: ranges.reduce((sum, range) => sum + (range ? range[2] - range[1] + 1 : 0), 0) };
}
/** Lets the origin have so many bytes. */
async function limitQuota(quotaSize) {
  const session = await context.newCDPSession(page);
  await session.send("Storage.overrideQuotaForOrigin", { origin: server.origin, quotaSize });
}
/** Changes the file that the only entry keeps. */
const damage = (at, bytes = [1, 2, 3]) =>
  page.evaluate(
    async ([at, bytes]) => {
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("intab-models");
      for await (const folder of root.values()) {
        const writable = await (await folder.getFileHandle("data")).createWritable({ keepExistingData: true });
        await writable.write({ type: "write", position: at, data: new Uint8Array(bytes) });
        await writable.close();
      }
    },
    [at, bytes],
  );

test("a second visit reads from storage and asks for one byte; the text is the same", async () => {
  asked();
  const first = await visit("good/model.gguf");
  assert.deepEqual(asked().bytes, file.length);
  const second = await visit("good/model.gguf");
  assert.deepEqual(asked(), { requests: 1, bytes: 1 });
  assert.equal(first.place, "opfs");
  assert.deepEqual([first.kept, first.networkBytes, second.kept, second.networkBytes], [true, file.length, true, 0]);
  assert.ok(second.storedBytes >= file.length && second.readMs > 0);
  assert.equal(second.text, first.text);
});

test("before a file is fetched it is told what it takes and what there is", async () => {
  const { stages } = await visit("good/model.gguf");
  const told = stages.find(({ stage }) => stage === "storage");
  assert.deepEqual([told.loaded, told.total, told.needed], [0, file.length, file.length]);
  assert.ok(told.available > file.length);
  assert.ok(stages.findIndex(({ stage }) => stage === "weights") > stages.indexOf(told));
});

test("a file that changed is fetched anew, by its tag or by its length", async () => {
  const other = Buffer.from(file);
  other[file.length - 1] ^= 1;
  for (const path of ["good/changing.gguf", "no-range/changing.gguf?tag"]) {
    world.put("changing.gguf", file);
    await visit(path);
    world.put("changing.gguf", other);
    assert.equal((await visit(path)).networkBytes, file.length, path);
    assert.equal((await visit(path)).networkBytes, 0, path);
  }
  world.put("changing.gguf", file);
  await visit("untagged/changing.gguf");
  assert.equal((await visit("untagged/changing.gguf")).networkBytes, 0);
  world.put("changing.gguf", Buffer.concat([file, Buffer.alloc(32)]));
  assert.equal((await visit("untagged/changing.gguf")).networkBytes, file.length + 32);
});

test("from a server without ranges the file is kept too", async () => {
  assert.equal((await visit("no-range/model.gguf")).kept, true);
  const second = await visit("no-range/model.gguf");
  assert.deepEqual([second.kept, second.networkBytes], [true, 0]);
});

test("where a server lies about the length nothing wrong is kept, and its right answer is taken later", async () => {
  const named = async (path) => (await errorOf(path))?.name;
  assert.equal(await named(`wrong-length/model.gguf?length=${file.length >> 1}`), "FormatError");
  assert.equal(await named(`wrong-length/model.gguf?length=${file.length * 2}`), "SourceError");
  assert.deepEqual(await list(), []);
  assert.equal(await named("wrong-total/model.gguf"), "SourceError");
  const [{ bytes, complete }] = await list();
  assert.deepEqual([bytes, complete], [2 * file.length, false]);
  // The same address, from a server that has learned better.
  await context.route("**/wrong-total/**", (route) => route.continue({ url: route.request().url().replace("wrong-total", "good") }));
  const right = await visit("wrong-total/model.gguf");
  assert.deepEqual([right.kept, right.networkBytes], [true, file.length]);
});

test("what is no model is not kept", async () => {
  assert.equal((await errorOf("good/text.gguf")).name, "FormatError");
  assert.equal((await errorOf("good/short.gguf")).name, "FormatError");
  assert.equal((await errorOf("good/absent.gguf")).name, "SourceError");
  assert.deepEqual(await list(), []);
});

test("of a model that this version does not run no room stays taken", async () => {
  const other = Buffer.from(file);
  other.write("lmama", other.indexOf("llama", other.indexOf("general.architecture")));
  world.put("other.gguf", other);
  assert.equal((await errorOf("good/other.gguf")).name, "UnsupportedError");
  assert.deepEqual(await list(), []);
});

test("without a connection, or a server that works, what is kept whole is used; else the error is the connection's", async () => {
  await visit("good/model.gguf");
  await context.setOffline(true);
  assert.equal((await visit("good/model.gguf")).networkBytes, 0);
  assert.match((await errorOf("untagged/model.gguf")).message, /connection failed/);
  await context.setOffline(false);
  await context.route("**/good/model.gguf", (route) => route.fulfill({ status: 503, headers: { "access-control-allow-origin": "*" } }));
  assert.equal((await visit("good/model.gguf")).networkBytes, 0);
});

test('cache "only" asks nobody, "off" keeps nothing', async () => {
  asked();
  const missing = await errorOf("good/model.gguf", { cache: "only" });
  assert.equal(missing.name, "SourceError");
  assert.match(missing.message, /not in this browser's storage.*cache "only"/);
  assert.equal(asked().requests, 0);

  const off = await visit("good/model.gguf", { cache: "off" });
  assert.deepEqual([off.kept, off.reason], [false, "nothing was to be kept"]);
  assert.deepEqual(await list(), []);

  await visit("good/model.gguf");
  asked();
  assert.equal((await visit("good/model.gguf", { cache: "only" })).kept, true);
  assert.equal(asked().requests, 0);
  await visit("good/model.gguf", { cache: "off" });
  assert.ok(asked().bytes >= file.length);
});

test("what a load broken off has kept is not fetched again", async () => {
  const stopped = await page.evaluate(async (url) => {
    const controller = new AbortController();
    const onProgress = ({ stage, loaded }) => stage === "weights" && loaded > 3e6 && controller.abort();
    const name = await nameOf(visit(url, { signal: controller.signal, onProgress }));
    // The worker ends its part a moment later.
    while ((await navigator.locks.query()).held.length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    return name;
  }, `${world.url}good/model.gguf`);
  assert.equal(stopped, "AbortError");
  const [{ complete, storedBytes }] = await list();
  assert.ok(!complete && storedBytes > 2e6, `${storedBytes}`);
  assert.match((await errorOf("good/model.gguf", { cache: "only" })).message, new RegExp(`only ${storedBytes} of its ${file.length}`));
  const rest = await visit("good/model.gguf");
  assert.deepEqual([rest.kept, rest.networkBytes], [true, file.length - storedBytes]);
});

test("answers that break off and servers that are busy are asked again", async () => {
  world.seen.splice(0);
  const { kept, text } = await visit("flaky/model.gguf");
  assert.ok(kept && text.length > 0);
  assert.ok(world.seen.length >= 5, `${world.seen.length} requests`);
});

test("damage in storage is found, and what is damaged is fetched anew and healed", async () => {
  await visit("good/model.gguf");
  for (const at of [3 * CHUNK + 77, 9 * CHUNK, file.length - 3]) await damage(at);
  const healed = await visit("good/model.gguf");
  assert.equal(healed.networkBytes, 2 * CHUNK + (file.length % CHUNK));
  assert.equal((await visit("good/model.gguf")).networkBytes, 0);
  await damage(5 * CHUNK);
  const error = await errorOf("good/model.gguf", { cache: "only" });
  assert.equal(error.name, "SourceError");
  assert.match(error.message, /damaged/);
});

test("a file that is not the one meant is an IntegrityError, and not kept; the right one is compared once", async () => {
  const hash = (bytes) => `sha256-${createHash("sha256").update(bytes).digest("base64")}`;
  const wrong = await errorOf("good/model.gguf", { integrity: hash("other") });
  assert.equal(wrong.name, "IntegrityError");
  assert.deepEqual([wrong.details.expected, wrong.details.found], [hash("other"), hash(file)]);
  assert.deepEqual(await list(), []);
  for (const integrity of [hash(file), { "model.gguf": hash(file) }]) {
    assert.equal((await visit("good/model.gguf", { integrity })).kept, true);
  }
  assert.equal((await errorOf("good/model.gguf", { integrity: { "other.gguf": hash(file) } })).name, "InputError");
  assert.equal((await errorOf("good/model.gguf", { integrity: "sha256-x" })).name, "InputError");
  // Of what a page has, the hash is compared too.
  const blob = await page.evaluate(async ([url, integrity]) => {
    const bytes = await (await fetch(url)).blob();
    return [await nameOf(intab.load(bytes, { backend: "cpu", integrity })), (await intab.storage.list()).length];
  }, [`${world.url}good/model.gguf`, hash("other")]);
  assert.deepEqual(blob, ["IntegrityError", 1]);
});

test("what does not fit loads without being kept; where keeping is required it fails before the download", async () => {
  await limitQuota(file.length);
  asked();
  const auto = await visit("good/model.gguf");
  assert.equal(auto.kept, false);
  assert.match(auto.reason, new RegExp(`needs ${file.length} bytes.*are free`));
  assert.deepEqual(await list(), []);

  asked();
  const full = await errorOf("good/model.gguf", { cache: "require" });
  assert.equal(full.name, "StorageFullError");
  assert.equal(full.details.needed, file.length);
  assert.ok(full.details.available < file.length);
  assert.deepEqual(asked(), { requests: 1, bytes: CHUNK });
  assert.deepEqual(await page.evaluate(async () => [(await intab.storage.usage()).models, (await intab.storage.list()).length]), [0, 0]);
});

test("storage that gets full during a download leaves nothing behind", async () => {
  // Somebody else takes what was free when it was looked for.
  await runFirstInWorker(context, `
    const { prototype } = FileSystemFileHandle;
    const { createSyncAccessHandle } = prototype;
    prototype.createSyncAccessHandle = async function (...options) {
      const handle = await createSyncAccessHandle.apply(this, options);
      const { write } = handle;
      let room = 2e6;
      handle.write = (bytes, place) => {
        room -= bytes.length;
        if (room < 0) throw new DOMException("no room", "QuotaExceededError");
        return write.call(handle, bytes, place);
      };
      return handle;
    };`);
  // From the page's own server, as a worker that a test made may ask no other.
  const own = (options) =>
    page.evaluate((options) => visit("/models/intab-stories.gguf", options).catch(({ name }) => ({ name })), options);
  const auto = await own();
  assert.equal(auto.kept, false);
  assert.ok(auto.text.length > 0);
  const full = await own({ cache: "require" });
  assert.equal(full.name, "StorageFullError");
  const left = await page.evaluate(async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("intab-models");
    const names = [];
    for await (const name of root.keys()) names.push(name);
    return names;
  });
  assert.deepEqual(left, []);
});

test("models that were not used for the longest time make room, if that is allowed", async () => {
  for (const path of ["good/model.gguf?1", "good/model.gguf?2", "good/model.gguf?1"]) await visit(path);
  await limitQuota(2.5 * file.length);
  assert.equal((await visit("good/model.gguf?3")).kept, false);
  const names = async () => (await list()).map(({ url }) => url.at(-1));
  assert.deepEqual(await names(), ["1", "2"]);
  assert.equal((await visit("good/model.gguf?3", { evict: "lru" })).kept, true);
  assert.deepEqual(await names(), ["3", "1"]);
  // Where that would not help, nothing goes.
  await limitQuota(file.length);
  assert.equal((await errorOf("good/model.gguf?4", { evict: "lru", cache: "require" })).name, "StorageFullError");
  assert.deepEqual(await names(), ["3", "1"]);
});

test("a page lists, deletes and clears what is kept, and sees how full storage is", async () => {
  for (const query of ["1", "2", "3"]) await visit(`good/model.gguf?${query}`);
  const seen = await page.evaluate(async (url) => {
    const { storage } = intab;
    const [{ bytes, storedBytes, complete, created, used }] = await storage.list();
    const before = await storage.usage();
    const deleted = [await storage.delete(`${url}1#top`), await storage.delete(`${url}1`)];
    const left = (await storage.list()).length;
    const cleared = await storage.clear();
    const after = await storage.usage();
    const error = await nameOf(storage.delete(5));
    const persists = await storage.persist();
    return { entry: { bytes, storedBytes, complete }, order: created <= used, before, deleted, left, cleared, after, error, persists };
  }, `${world.url}good/model.gguf?`);
  assert.deepEqual(seen.entry, { bytes: file.length, storedBytes: file.length, complete: true });
  assert.ok(seen.order);
  assert.deepEqual([seen.before.place, seen.before.models, seen.after.models], ["opfs", 3 * file.length, 0]);
  assert.ok(seen.before.used >= seen.before.models && seen.before.available === seen.before.quota - seen.before.used);
  assert.ok(seen.after.used < file.length, `${seen.after.used}`);
  assert.deepEqual([seen.deleted, seen.left, seen.cleared, seen.error], [[1, 0], 2, 2, "InputError"]);
  assert.equal(typeof seen.persists, "boolean");
});

test("a model gives its files back: from storage, from the network, from the page", async () => {
  const saved = await page.evaluate(async (url) => {
    const hash = async (blob) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()))].join();
    const save = async (source, cache = "auto") => {
      const model = await intab.load(source, { backend: "cpu", cache });
      const [{ path, file }, ...others] = await model.save();
      await model.unload();
      return [path, await hash(file), others.length];
    };
    const blob = await (await fetch(url)).blob();
    const bytes = await intab.load(await blob.arrayBuffer(), { backend: "cpu" });
    const model = await intab.load(url, { backend: "cpu" });
    const again = await intab.load(await model.save(), { backend: "cpu" });
    return {
      all: [await save(url), await save(url, "off"), await save(blob), await save(new File([blob], "x.gguf"))],
      bytes: await nameOf(bytes.save()),
      again: again.info.architecture,
    };
  }, `${world.url}good/model.gguf`);
  const hash = [...createHash("sha256").update(file).digest()].join();
  assert.deepEqual(saved.all, [
    ["model.gguf", hash, 0],
    ["model.gguf", hash, 0],
    ["model.gguf", hash, 0],
    ["x.gguf", hash, 0],
  ]);
  assert.deepEqual([saved.bytes, saved.again], ["InputError", "llama"]);
});

test("an estimate reads what is kept, and keeps nothing itself", async () => {
  const estimate = (options) => page.evaluate(([url, options]) => errorOf(intab.estimate(url, options)), [`${world.url}good/model.gguf`, options]);
  assert.equal(await estimate({}), null);
  assert.deepEqual(await list(), []);
  await visit("good/model.gguf");
  asked();
  assert.equal(await estimate({}), null);
  assert.deepEqual(asked(), { requests: 1, bytes: 1 });
  assert.equal(await estimate({ cache: "only" }), null);
  assert.equal(asked().requests, 0);
});

test("options for storage are refused by name where they are wrong", async () => {
  for (const [name, value] of [["cache", "keep"], ["evict", true], ["integrity", { "m.gguf": "md5-x" }]]) {
    const error = await errorOf("good/model.gguf", { [name]: value });
    assert.equal(error.name, "InputError");
    assert.match(error.message, new RegExp(`^${name}: expected`));
  }
});
