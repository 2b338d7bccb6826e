// Threads of the CPU backend, as workers of a real page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage } from "./harness.mjs";
import { browser, page, server } from "./library.mjs";

test("threads change nothing but the speed, and their memory comes back", async () => {
  const { runs, before, after } = await page.evaluate(async () => {
    const runs = [];
    const { wasmBytes: before } = await intab.memory();
    for (const threads of [1, 2, 3]) {
      const model = await loadStories({ threads });
      const { text, tokens } = await model.generate("Once upon a time", { seed: 5, maxNewTokens: 60 }).result;
      // So many rows share their attention too, the later ones behind those that are in the cache.
      const logits = await model.logits(Uint32Array.from({ length: 100 }, (_, i) => 1 + 7 * i));
      const { wasmBytes } = await intab.memory();
      runs.push({ features: model.info.features, text, tokens: [...tokens], logits: [...logits], wasmBytes });
      await model.unload();
    }
    return { runs, before, after: (await intab.memory()).wasmBytes };
  });
  const [alone, two, three] = runs;
  assert.deepEqual(alone.features, ["simd128"]);
  assert.deepEqual(two.features, ["simd128", "2 threads"]);
  assert.deepEqual(three.features, ["simd128", "3 threads"]);
  for (const run of [two, three]) {
    assert.equal(run.text, alone.text);
    assert.deepEqual(run.tokens, alone.tokens);
    assert.deepEqual(run.logits, alone.logits);
  }
  assert.ok(three.wasmBytes > alone.wasmBytes, "helpers' memory is counted");
  assert.ok(after < three.wasmBytes && before === 0, `${after} bytes are left of ${three.wasmBytes}`);
});

test("an abort gets in while threads work, and the model goes on", async () => {
  const { name, length } = await page.evaluate(async () => {
    const model = await loadStories({ threads: 2 });
    const abort = new AbortController();
    const generation = model.generate("Once", { maxNewTokens: 1000, ignoreEos: true, signal: abort.signal });
    const name = await nameOf(
      (async () => {
        let n = 0;
        for await (const piece of generation) if (piece !== "" && ++n === 5) abort.abort();
      })(),
    );
    const { text } = await model.generate("Once", { maxNewTokens: 5 }).result;
    return { name, length: text.length };
  });
  assert.equal(name, "AbortError");
  assert.ok(length > 0);
});

test("threads that are no number of threads are refused, and so are several without isolation", async () => {
  const wrong = await page.evaluate(async () => {
    const found = [];
    for (const threads of [0, 65, 1.5, "many"]) found.push(await errorOf(loadStories({ threads })));
    return found;
  });
  for (const { name, message } of wrong) {
    assert.equal(name, "InputError");
    assert.match(message, /^threads: expected an integer from 1 to 64/);
  }
  const { page: plain, context } = await openPage(browser, `${server.insecureUrl}lib/errors.js`);
  try {
    const { several, features } = await plain.evaluate(async () => {
      const { load } = await import("/lib/intab.js");
      const stories = (options) => load("/models/intab-stories.gguf", { backend: "cpu", ...options });
      const several = await stories({ threads: 2 }).then(
        () => null,
        ({ name, message }) => ({ name, message }),
      );
      return { several, features: (await stories()).info.features };
    });
    assert.equal(several.name, "InputError");
    assert.match(several.message, /^threads: .*cross-origin isolated/);
    assert.deepEqual(features, ["simd128"], "one thread is what there is without isolation");
  } finally {
    await context.close();
  }
});
