// A large model must stream to the GPU: what WebAssembly holds meanwhile is bounded. The file is made for the test.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { launchChromium, openPage, openProfile, root, startServer } from "./harness.mjs";
import { startModelServer } from "./servers.mjs";

const MIB = 2 ** 20;
const LIMIT = 96 * MIB;
/** The command line, beside the program that serves. */
const INTAB = process.env.INTAB ?? join(dirname(process.env.XTASK ?? `${root}target/debug/xtask`), "intab");

let server;
let browser;
let folder;

before(async () => {
  server = await startServer();
  browser = await launchChromium();
  folder = await mkdtemp(join(dirname(INTAB), "memory-"));
});

after(async () => {
  await browser?.close();
  await server?.stop();
  if (folder) await rm(folder, { recursive: true });
});

test("a file of more than 1 GB loads on WebGPU with at most 96 MiB of wasm memory", async (t) => {
  const file = join(folder, "synthetic.gguf");
  await promisify(execFile)(INTAB, ["synth", "--shape", "llama-3.2-1b", "--type", "Q8_0", "--output", file]);
  const { size } = await stat(file);
  assert.ok(size > 1e9);
  const { page, context } = await openPage(browser, `${server.url}lib/errors.js`);
  await page.evaluate(() => {
    const input = document.createElement("input");
    input.type = "file";
    document.documentElement.append(input);
  });
  await page.setInputFiles("input", file);
  const { use, gpu, ms } = await page.evaluate(async () => {
    const { load, memory } = await import("/lib/intab.js");
    const start = performance.now();
    const model = await load(document.querySelector("input").files[0], { backend: "gpu", contextLength: 256 });
    const ms = performance.now() - start;
    // Memory of WebAssembly never shrinks, so what it has after the load was its peak.
    const use = await memory();
    await model.unload();
    return { use, gpu: await memory(), ms };
  });
  await context.close();
  t.diagnostic(`${size} bytes in ${Math.round(ms)} ms; wasm ${use.wasmBytes / MIB} MiB, GPU ${use.gpuBytes / MIB} MiB`);
  assert.ok(use.gpuBytes > size * 0.95, "the weights are on the GPU");
  assert.ok(use.wasmBytes <= LIMIT, `${use.wasmBytes / MIB} MiB`);
  assert.equal(gpu.gpuBuffers, 0);
});

test("a file that is fetched and kept, and one that is read from storage, stay out of wasm memory too", async (t) => {
  const file = join(folder, "fetched.gguf");
  await promisify(execFile)(INTAB, ["synth", "--shape", "smollm2-135m", "--type", "F16", "--output", file]);
  const world = await startModelServer({ "fetched.gguf": await readFile(file) });
  const context = await openProfile(join(folder, "profile"));
  const page = await context.newPage();
  await page.goto(`${server.url}lib/errors.js`);
  for (const from of ["networkBytes", "storedBytes"]) {
    const { use, storage } = await page.evaluate(async (url) => {
      const { load, memory, release } = await import("/lib/intab.js");
      const model = await load(url, { backend: "gpu", contextLength: 64 });
      const use = await memory();
      release(); // the next visit has memory of its own
      return { use, storage: model.info.storage };
    }, `${world.url}good/fetched.gguf`);
    t.diagnostic(`${from}: ${storage[from]}; wasm ${use.wasmBytes / MIB} MiB`);
    assert.ok(storage.kept && storage[from] > 250e6);
    assert.ok(use.wasmBytes <= LIMIT, `${use.wasmBytes / MIB} MiB`);
  }
  await context.close();
  await world.stop();
});
