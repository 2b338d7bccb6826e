// Drafts in a page: they change the speed of a text and nothing else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./library.mjs";

const PROMPT = "The cat sat on the mat. The dog sat on the mat. The cat sat on the mat. The dog sat";

for (const backend of ["cpu", "gpu"]) {
  test(`guesses from the text and from another model leave it as it is on the ${backend}`, async () => {
    const results = await page.evaluate(
      async ({ backend, PROMPT }) => {
        const [model, draft] = [await loadStories({ backend }), await loadStories({ backend })];
        const results = [];
        const base = { temperature: 0, ignoreEos: true, precision: "exact" };
        // A model that makes drafts for its equal has to earn the first one; in software a GPU would take too long for that.
        const maxNewTokens = backend === "cpu" ? 100 : 24;
        for (const options of [{ speculation: "off" }, { speculation: "prompt" }, { draft, speculation: "off" }]) {
          const { text, tokens, usage } = await model.generate(PROMPT, { ...base, maxNewTokens, ...options }).result;
          results.push({ text, tokens: [...tokens], usage });
        }
        return results;
      },
      { backend, PROMPT },
    );
    const [off, prompt, drafted] = results;
    assert.deepEqual([off.usage.draftedTokens, off.usage.acceptedTokens], [0, 0]);
    assert.ok(prompt.usage.acceptedTokens > 0);
    if (backend === "cpu") assert.ok(drafted.usage.acceptedTokens > 0);
    for (const { text, tokens, usage } of [prompt, drafted]) {
      assert.equal(text, off.text);
      assert.deepEqual(tokens, off.tokens);
      assert.ok(usage.acceptedTokens <= usage.draftedTokens);
    }
  });
}

test("two models may make drafts for each other at the same time", async () => {
  const texts = await page.evaluate(async () => {
    const [a, b] = [await loadStories(), await loadStories()];
    const write = (model, draft) => model.generate("Once", { draft, temperature: 0, maxNewTokens: 12 }).result;
    const results = await Promise.all([write(a, b), write(b, a), write(a, b), write(b)]);
    return results.map(({ text }) => text);
  });
  assert.equal(new Set(texts).size, 1);
});

test("a model that waits for the one that makes its drafts still answers, and can be unloaded", async () => {
  const found = await page.evaluate(async () => {
    const [a, b] = [await loadStories(), await loadStories()];
    const order = [];
    const writes = b.generate("Once", { ignoreEos: true, maxNewTokens: 200 }).result.then(() => order.push("wrote"));
    const abort = new AbortController();
    const aborted = a.generate("Once", { draft: b, signal: abort.signal }).result;
    const waits = errorOf(a.generate("Once", { draft: b }).result);
    await a.tokenize("Once");
    order.push("tokenized");
    abort.abort();
    order.push((await aborted).finishReason);
    await a.unload();
    order.push("unloaded");
    const { name } = await waits;
    await writes;
    return { order, name };
  });
  assert.deepEqual(found, { order: ["tokenized", "abort", "unloaded", "wrote"], name: "UnloadedError" });
});

test("what cannot make drafts is refused, and so is an unknown way to guess", async () => {
  const errors = await page.evaluate(async () => {
    const model = await loadStories();
    const attempt = (options) => {
      try {
        return errorOf(model.generate("Once", options).result);
      } catch (error) {
        return { name: error.name, message: error.message };
      }
    };
    const gone = await loadStories();
    await gone.unload();
    const other = await intab.load("/models/intab-stories.gguf", { backend: "cpu" });
    return [
      await attempt({ draft: model }),
      await attempt({ draft: "stories" }),
      await attempt({ speculation: "always" }),
      await attempt({ draft: other, numBeams: 2 }),
      await attempt({ draft: gone }),
    ];
  });
  const [itself, text, always, beams, gone] = errors;
  for (const { name, message } of [itself, text]) {
    assert.equal(name, "InputError");
    assert.match(message, /^draft: expected another model/);
  }
  assert.equal(always.name, "InputError");
  assert.match(beams.message, /^draft: .*beams/);
  assert.equal(gone.name, "UnloadedError");
});
