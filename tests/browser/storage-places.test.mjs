// Browsers without the origin private file system, or without parts of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage, runFirstInWorker } from "./harness.mjs";
import { browser, context, file, page, server } from "./library.mjs";

const OWN = "/models/intab-stories.gguf";
const NO_OPFS = "delete StorageManager.prototype.getDirectory;";
const NO_CACHES = "Object.defineProperty(globalThis, 'caches', { value: undefined });";
const visitOwn = (options) => page.evaluate(([url, options]) => visit(url, options), [OWN, options]);

test("without the file system the Cache API keeps the model", async () => {
  await runFirstInWorker(context, NO_OPFS);
  await page.evaluate(NO_OPFS);
  const first = await visitOwn();
  assert.deepEqual([first.place, first.kept, first.networkBytes], ["cache", true, file.length]);
  const second = await visitOwn();
  assert.deepEqual([second.kept, second.networkBytes, second.text], [true, 0, first.text]);
  const seen = await page.evaluate(async (url) => {
    const [{ bytes, complete }] = await intab.storage.list();
    const model = await intab.load(url, { backend: "cpu" });
    const [{ file }] = await model.save();
    // A part that went missing comes anew.
    const kept = async () => (await caches.keys()).filter((name) => name.startsWith("intab-model-"));
    const [name] = await kept();
    await (await caches.open(name)).delete("https://intab.invalid/3");
    const healed = (await visit(url)).networkBytes;
    return { bytes, complete, size: file.size, healed, deleted: await intab.storage.clear(), left: await kept() };
  }, OWN);
  assert.deepEqual(seen, { bytes: file.length, complete: true, size: file.length, healed: 2 ** 18, deleted: 1, left: [] });
});

test("where nothing can be kept a model loads all the same, unless keeping is required", async () => {
  await runFirstInWorker(context, NO_OPFS + NO_CACHES);
  const { place, kept, reason } = await visitOwn();
  assert.deepEqual([place, kept, reason], [null, false, "this browser keeps nothing for this page"]);
  const error = await page.evaluate((url) => errorOf(visit(url, { cache: "require" })), OWN);
  assert.equal(error.name, "StorageError");
  assert.match(error.message, /cannot be kept: this browser keeps nothing/);
});

test("a page that is no secure context keeps nothing, and lists nothing", async () => {
  const insecure = await openPage(browser, `${server.insecureUrl}lib/errors.js`);
  const seen = await insecure.page.evaluate(async (url) => {
    const { load, storage } = await import("/lib/intab.js");
    const model = await load(url, { backend: "cpu" });
    const { place, models, quota } = await storage.usage();
    const rest = [await storage.list(), await storage.clear(), await storage.persist()];
    return [model.info.storage.kept, (await model.save())[0].file.size, place, models, quota, ...rest];
  }, OWN);
  await insecure.context.close();
  assert.deepEqual(seen, [false, file.length, null, 0, null, [], 0, false]);
});

test("where only one page may have a handle of a file, the others read it all the same", async () => {
  // Handles as they were before there were modes.
  await runFirstInWorker(context, `
    const { prototype } = FileSystemFileHandle;
    const { createSyncAccessHandle } = prototype;
    prototype.createSyncAccessHandle = function () { return createSyncAccessHandle.call(this); };`);
  await visitOwn();
  const networkBytes = await page.evaluate(async (url) => {
    // Another worker has the handle.
    const script = `onmessage = async () => {
      const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("intab-models");
      for await (const folder of root.values()) {
        globalThis.held = await (await folder.getFileHandle("data")).createSyncAccessHandle();
      }
      postMessage("held");
    }`;
    const worker = new Worker(URL.createObjectURL(new Blob([script])));
    await new Promise((resolve) => {
      worker.onmessage = resolve;
      worker.postMessage("");
    });
    return (await visit(url)).networkBytes;
  }, OWN);
  assert.equal(networkBytes, 0);
});
