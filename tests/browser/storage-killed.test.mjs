// A large download that is killed again and again goes on where it was. The file is made for the test.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, readlink, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { openProfile, root, startServer } from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

const MIB = 2 ** 20;
/** The command line, beside the program that serves. */
const INTAB = process.env.INTAB ?? join(dirname(process.env.XTASK ?? `${root}target/debug/xtask`), "intab");
/** What may be on its way to disk: see `COMMIT_BYTES` in `opfs.js`. */
const LOSS = 9 * MIB;

let server;
let world;
let folder;
let file;
let context;

before(async () => {
  folder = await mkdtemp(join(dirname(INTAB), "storage-"));
  const path = join(folder, "synthetic.gguf");
  await promisify(execFile)(INTAB, ["synth", "--shape", "smollm2-135m", "--type", "F16", "--output", path]);
  file = await readFile(path);
  server = await startServer();
  world = await startModelServer({ "large.gguf": file });
});

after(async () => {
  await context?.close();
  await world?.stop();
  await server?.stop();
  if (folder) await rm(folder, { recursive: true, maxRetries: 5 });
});

/** A page, in the browser that runs or in a new one with the same profile. */
async function open() {
  context ??= await openProfile(join(folder, "profile"));
  const page = await context.newPage();
  await page.goto(`${server.url}lib/errors.js`);
  await page.evaluate(async () => {
    globalThis.intab = await import("/lib/intab.js");
  });
  return page;
}

/** Ends the browser as a power cut would: nothing of it gets to say anything. */
async function killBrowser() {
  const lock = await readlink(join(folder, "profile", "SingletonLock")); // HOST-PID
  const closed = new Promise((resolve) => context.on("close", resolve));
  process.kill(Number(lock.split("-").pop()), "SIGKILL");
  await closed;
  context = undefined;
}

/** Ways to end a download, and at which part of it. */
const kills = [
  ["the page is closed", 0.1, (page) => page.close()],
  ["the page crashes", 0.25, async (page) => void (await context.newCDPSession(page)).send("Page.crash").catch(() => {})],
  ["the page is loaded again", 0.4, (page) => page.reload()],
  ["the worker is ended", 0.55, (page) => page.evaluate(() => intab.release())],
  ["the browser is killed", 0.7, killBrowser],
];

const asked = () =>
  world.seen.splice(0).reduce((sum, { range }) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    return sum + Number(last) - Number(first) + 1;
  }, 0);

test("killed at five points of a download of more than 200 MB, it goes on from what it has, and the hash is right", async (t) => {
  assert.ok(file.length > 200e6);
  const url = `${world.url}good/large.gguf`;
  let before = 0;
  for (const [how, part, kill] of kills) {
    const page = await open();
    await page.evaluate((url) => {
      globalThis.loaded = 0;
      const onProgress = ({ stage, loaded }) => stage === "weights" && (globalThis.loaded = loaded);
      intab.load(url, { backend: "cpu", contextLength: 64, onProgress }).catch(() => {});
    }, url);
    await page.waitForFunction((bytes) => globalThis.loaded > bytes, part * file.length, { polling: 5 });
    const used = await page.evaluate(() => globalThis.loaded);
    await kill(page);
    const next = await open();
    const [{ bytes, storedBytes, complete }] = await next.evaluate(() => intab.storage.list());
    t.diagnostic(`${how}: ${(used / MIB).toFixed(1)} MiB were used, ${(storedBytes / MIB).toFixed(1)} are kept`);
    assert.deepEqual([bytes, complete], [file.length, false]);
    assert.ok(storedBytes >= used - LOSS && storedBytes > before, how);
    before = storedBytes;
    await next.close();
  }
  asked();
  const page = await open();
  const integrity = `sha256-${createHash("sha256").update(file).digest("base64")}`;
  const visit = (options) =>
    page.evaluate(
      async ([url, options]) => {
        const model = await intab.load(url, { backend: "cpu", contextLength: 64, ...options });
        await model.unload();
        return model.info.storage;
      },
      [url, options],
    );
  const last = await visit({ integrity });
  assert.deepEqual([last.kept, last.networkBytes], [true, file.length - before]);
  assert.equal(asked(), file.length - before + 1);
  // Read from the disk alone, it is still the file that was meant.
  const [saved] = await page.evaluate(async (url) => {
    const model = await intab.load(url, { backend: "cpu", contextLength: 64, cache: "only" });
    const [{ file }] = await model.save();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    return [[...hash].join()];
  }, url);
  assert.equal(saved, [...createHash("sha256").update(file).digest()].join());
});
