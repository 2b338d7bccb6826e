// Loading, generating and unloading over and over leaves nothing behind: the module's memory, GPU buffers, and the heaps of the page
// and its worker are after many cycles what they were after a few.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, startServer } from "./harness.mjs";

/** What heaps may grow by over all cycles: less than a hundredth of a model for each. */
const ROOM = 1_000_000;

let server;
let browser;

before(async () => {
  server = await startServer();
  // Memory of workers is measured at once, instead of with the browser's next garbage collection.
  browser = await launchChromium({ args: ["--enable-blink-features=ForceEagerMeasureMemory"] });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

for (const { backend, settled, cycles } of [
  { backend: "cpu", settled: 20, cycles: 200 },
  { backend: "gpu", settled: 5, cycles: 20 },
]) {
  test(`${cycles} cycles of load, generate and unload on the ${backend} leave memory as it was after ${settled}`, async (t) => {
    const { page, context } = await openPage(browser, `${server.url}lib/errors.js`);
    const cdp = await context.newCDPSession(page);
    await cdp.send("Performance.enable");
    const run = (n) =>
      page.evaluate(
        async ({ backend, n }) => {
          const { load } = await import("/lib/intab.js");
          for (let i = 0; i < n; i++) {
            const model = await load("/models/intab-stories.gguf", { backend, contextLength: 64, threads: 1, onProgress() {} });
            const session = await model.session({ text: "Once upon a time" });
            const generation = session.generate("", { maxNewTokens: 3, temperature: 0, ignoreEos: true });
            for await (const _ of generation);
            await model.unload();
          }
        },
        { backend, n },
      );
    const measure = async () => {
      await cdp.send("HeapProfiler.collectGarbage");
      const { metrics } = await cdp.send("Performance.getMetrics");
      const page_ = metrics.find(({ name }) => name === "JSHeapUsedSize").value;
      const [held, all] = await page.evaluate(async () => {
        const { memory } = await import("/lib/intab.js");
        return [await memory(), await performance.measureUserAgentSpecificMemory()];
      });
      return { ...held, page: page_, all: all.bytes };
    };
    await run(settled);
    const before = await measure();
    await run(cycles - settled);
    const after = await measure();
    t.diagnostic(`after ${settled}: ${JSON.stringify(before)}; after ${cycles}: ${JSON.stringify(after)}`);
    assert.equal(after.wasmBytes, before.wasmBytes);
    assert.deepEqual([after.gpuBuffers, after.gpuBytes], [0, 0]);
    assert.ok(after.page - before.page < ROOM, "the page's heap");
    assert.ok(after.all - before.all < ROOM, "all heaps together");
    await context.close();
  });
}
