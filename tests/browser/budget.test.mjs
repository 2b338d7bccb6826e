// Several models under one limit of memory, over the real engine.
import assert from "node:assert/strict";
import { test } from "node:test";
import { page, world } from "./library.mjs";

test("two models under a budget for one: memory does not hold both, and both answer", async () => {
  const seen = await page.evaluate(async (url) => {
    const sources = { stories: "/models/intab-stories.gguf", other: url };
    const { cpu } = await intab.estimate(sources.stories);
    const models = new intab.Models(intab.load, { estimate: intab.estimate, memoryBudget: 1.5 * cpu.total });
    for (const [id, source] of Object.entries(sources)) models.add(id, source, { backend: "gpu" });
    const handler = intab.createHandler(models);
    const say = async (model) => {
      const body = JSON.stringify({ model, prompt: "Once", max_tokens: 2, temperature: 0 });
      const response = await handler("http://intab/v1/completions", { method: "POST", body });
      const answer = await response.json();
      return { text: answer.choices?.[0].text ?? JSON.stringify(answer), ...(await intab.memory()) };
    };
    const seen = [await say("stories"), await say("other"), await say("stories")];
    models.memoryBudget = Infinity;
    seen.push(await say("other"));
    models.memoryBudget = 1.5 * cpu.total;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return [...seen, await intab.memory()];
  }, `${world.url}good/model.gguf`);
  const [first, other, again, both, shrunk] = seen;
  assert.deepEqual([other.text, again.text, both.text], [first.text, first.text, first.text]);
  assert.ok(first.gpuBytes > 1e6, `${first.gpuBytes}`);
  assert.deepEqual([other.gpuBytes, again.gpuBytes], [first.gpuBytes, first.gpuBytes]);
  assert.ok(both.gpuBytes > 1.9 * first.gpuBytes, `${both.gpuBytes} of both, ${first.gpuBytes} of one`);
  assert.equal(shrunk.gpuBytes, first.gpuBytes);
});

test("a model that the budget will never hold is refused before any of it is read", async () => {
  const { status, error, bytes } = await page.evaluate(async () => {
    const handler = intab.createHandler({ stories: "/models/intab-stories.gguf" }, { memoryBudget: 1e6 });
    const body = JSON.stringify({ model: "stories", prompt: "Once" });
    const response = await handler("http://intab/v1/completions", { method: "POST", body });
    return { status: response.status, ...(await response.json()), bytes: (await intab.memory()).wasmBytes };
  });
  assert.deepEqual([status, error.code], [503, "model_load_failed"]);
  assert.match(error.message, /memory budget is 1\.0 MB/);
  assert.ok(bytes < 6e6, `${bytes}`);
});
