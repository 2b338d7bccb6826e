// `cargo xtask bench` of the browser's storage: one JSON line. How fast a second visit reads a model from the origin private
// file system, beside what that file system gives whoever reads the same file in the same minute: into memory as a load has it,
// and into one small buffer again and again, which never leaves the processor's cache; and what keeping costs the first visit. Figures to compare within one run, never a test. It takes a model of `models/`.
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

  /** Reads the kept file in parts as large as the engine's, into as many buffers as it has in use, and into a single one. */
  const script = `onmessage = async () => {
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("intab-models");
    const speeds = {};
    const memory = new Uint8Array(5 * 2 ** 22);
    for await (const folder of root.values()) {
      const data = await (await folder.getFileHandle("data")).createSyncAccessHandle({ mode: "read-only" });
      const size = data.getSize();
      const part = 2 ** 18;
      for (const [name, n] of Object.entries({ memory: memory.length / part, cache: 1 })) {
        const start = performance.now();
        for (let at = 0, i = 0; at < size; at += part, i = (i + 1) % n) {
          data.read(memory.subarray(i * part, (i + 1) * part), { at });
        }
        speeds[name] = (1e3 * size) / (performance.now() - start);
      }
      data.close();
    }
    postMessage(speeds);
  }`;
  const worker = new Worker(URL.createObjectURL(new Blob([script])));
  const raw = () =>
    new Promise((resolve) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.postMessage("");
    });

  const best = { off: Infinity, first: Infinity, second: Infinity, memory: 0, cache: 0, read: 0 };
  let model;
  await visit("off"); // warms up
  for (let run = 0; run < RUNS; run += 1) {
    await storage.clear();
    best.off = Math.min(best.off, (await visit("off")).ms);
    model = await visit("require");
    best.first = Math.min(best.first, model.ms);
    const { memory, cache } = await raw();
    best.memory = Math.max(best.memory, memory);
    best.cache = Math.max(best.cache, cache);
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
    raw_read_bytes_per_second: best.memory,
    raw_read_bytes_per_second_in_cache: best.cache,
    read_bytes_per_second: best.read,
    ratio: best.read / best.memory,
  };
}
