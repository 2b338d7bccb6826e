// What a load takes is told before it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { page, world } from "./library.mjs";

test("what is told before a load is what it takes within five per cent, and little is read for it", async () => {
  const { told, taken } = await page.evaluate(async (url) => {
    const told = await intab.estimate(url);
    const taken = {};
    for (const backend of ["cpu", "gpu"]) {
      const model = await intab.load(url, { backend });
      taken[backend] = model.info.bytes;
      await model.unload();
    }
    return { told, taken };
  }, `${world.url}good/model.gguf`);
  for (const backend of ["cpu", "gpu"]) {
    const { weights, cache, tables, activations, total } = told[backend];
    assert.equal(weights + cache + tables + activations, total);
    const ratio = total / taken[backend];
    assert.ok(ratio > 0.95 && ratio < 1.05, `${backend}: ${total} were told, ${taken[backend]} taken`);
  }
  const asked = world.seen.filter(({ path }) => path === "/good/model.gguf");
  assert.equal(asked[0].range, "bytes=0-262143");
});

test("options change what is told, and bad ones are refused by name", async () => {
  const { short, long, error, missing } = await page.evaluate(async (url) => {
    const told = async (options) => (await intab.estimate("/models/intab-stories.gguf", options)).gpu.cache;
    return {
      short: await told({ contextLength: 100, kvCache: "f16" }),
      long: await told({ contextLength: 400 }),
      error: await errorOf(intab.estimate("/models/intab-stories.gguf", { backend: "cpu" })),
      missing: await nameOf(intab.estimate(`${url}missing/model.gguf`)),
    };
  }, world.url);
  assert.equal(long, 8 * short);
  assert.equal(error.name, "InputError");
  assert.match(error.message, /unknown name "backend"/);
  assert.equal(missing, "SourceError");
});
