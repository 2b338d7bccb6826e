// `cargo xtask bench` of the browser's storage: one JSON line. How fast a second visit reads a model from the origin private
// file system, beside what that file system gives whoever reads the same file in the same minute; and what keeping costs the
// first visit. Figures to compare within one run, never a test. It takes a model of `models/`.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { openProfile, startServer } from "./harness.mjs";

const url = `/models/${basename(process.argv[2] ?? "intab-stories.gguf")}`;
/** How often each is measured; the best of each counts, as what else the machine does can only slow it. */
const RUNS = 5;

const folder = await mkdtemp(join(tmpdir(), "intab-bench-"));
const server = await startServer();
// On disk: what a private window stores lies in memory.
const context = await openProfile(join(folder, "profile"));
try {
  const page = await context.newPage();
  await page.goto(`${server.url}lib/errors.js`);
  console.log(JSON.stringify(await page.evaluate(measure, { url, RUNS })));
} finally {
  await context.close();
  await server.stop();
  await rm(folder, { recursive: true });
}

/** Runs in the page. */
async function measure({ url, RUNS }) {
  const { load, storage } = await import("/lib/intab.js");
  const visit = async (cache) => {
    const start = performance.now();
    const model = await load(url, { backend: "cpu", contextLength: 64, cache });
    const ms = performance.now() - start;
    await model.unload();
    return { ms, name: model.info.name, ...model.info.storage };
  };
  const bytesPerSecond = (bytes, ms) => (1e3 * bytes) / ms;

  /** Reads the kept file as a worker can at best: into one buffer, again and again, in parts of several sizes. */
  const script = `onmessage = async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("intab-models");
    let best = 0;
    for await (const folder of root.values()) {
      const data = await (await folder.getFileHandle("data")).createSyncAccessHandle({ mode: "read-only" });
      const size = data.getSize();
      for (const part of [2 ** 18, 2 ** 20, 2 ** 22]) {
        const buffer = new Uint8Array(part);
        const start = performance.now();
        for (let at = 0; at < size; at += part) data.read(buffer, { at });
        best = Math.max(best, (1e3 * size) / (performance.now() - start));
      }
      data.close();
    }
    postMessage(best);
  }`;
  const worker = new Worker(URL.createObjectURL(new Blob([script])));
  const raw = () =>
    new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage("");
    });

  const best = { off: Infinity, first: Infinity, second: Infinity, raw: 0, read: 0 };
  let model;
  await visit("off"); // warms up
  for (let run = 0; run < RUNS; run += 1) {
    await storage.clear();
    best.off = Math.min(best.off, (await visit("off")).ms);
    model = await visit("require");
    best.first = Math.min(best.first, model.ms);
    best.raw = Math.max(best.raw, await raw());
    const second = await visit("require");
    best.second = Math.min(best.second, second.ms);
    best.read = Math.max(best.read, bytesPerSecond(second.storedBytes, second.readMs));
  }
  worker.terminate();
  const [{ bytes }] = model.files;
  return {
    bench: "storage",
    model: model.name,
    place: model.place,
    bytes,
    load_ms_without_storage: best.off,
    load_ms_first_visit: best.first,
    load_ms_second_visit: best.second,
    raw_read_bytes_per_second: best.raw,
    read_bytes_per_second: best.read,
    ratio: best.read / best.raw,
  };
}
