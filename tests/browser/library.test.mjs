// The library over the real engine, with the default model: generate, abort, unload, and bad calls.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pauseAfterEachToken, runFirstInWorker } from "./harness.mjs";
import { context, page } from "./library.mjs";

test("the pieces of a stream are the result's text, and the figures add up", async () => {
  const { pieces, prefill, result } = await page.evaluate(async () => {
    const model = await loadStories();
    const prefill = [];
    const generation = model.generate("Once upon a time", {
      maxNewTokens: 40,
      ignoreEos: true,
      onPrefill: (step) => prefill.push(step),
    });
    const pieces = [];
    for await (const piece of generation) pieces.push(piece);
    const result = await generation.result;
    return { pieces, prefill, result: { ...result, tokens: [...result.tokens] } };
  });
  assert.ok(pieces.length > 5);
  assert.ok(pieces.every((piece) => piece.length > 0));
  assert.equal(pieces.join(""), result.text);
  assert.equal(result.tokens.length, result.usage.completionTokens);
  assert.equal(result.usage.totalTokens, result.usage.promptTokens + result.usage.completionTokens);
  assert.equal(prefill.at(-1).done, result.usage.promptTokens);
  assert.equal(result.finishReason, "length");
  assert.ok(result.timings.firstTokenMs > 0 && result.timings.totalMs >= result.timings.firstTokenMs);
  assert.ok(Number.isInteger(result.seed));
});

test("the same seed gives the same text, and another seed another", async () => {
  const [first, again, other] = await page.evaluate(async () => {
    const model = await loadStories();
    const write = async (seed) =>
      (await model.generate("Once upon a time", { seed, maxNewTokens: 30, temperature: 1 }).result).text;
    return [await write(1), await write(1), await write(2)];
  });
  assert.equal(first, again);
  assert.notEqual(first, other);
});

test("both backends write the same greedy text, and again after a prefix was reused", async () => {
  const { texts, cached } = await page.evaluate(async () => {
    const texts = [];
    const cached = [];
    for (const backend of ["cpu", "gpu"]) {
      const model = await loadStories({ backend });
      for (let time = 0; time < 2; time += 1) {
        const { text, usage } = await model.generate("Once upon a time, there was a", {
          temperature: 0,
          maxNewTokens: 16,
        }).result;
        texts.push(text);
        cached.push(usage.cachedTokens);
      }
      await model.unload();
    }
    return { texts, cached };
  });
  assert.equal(new Set(texts).size, 1, texts.join("\n"));
  assert.equal(cached[0], 0);
  assert.ok(cached[1] > 0 && cached[3] > 0, String(cached));
});

test("a stop text ends the text before it, and the stream shows nothing of it", async () => {
  const { free, stop, text, streamed, reason, stopText } = await page.evaluate(async () => {
    const model = await loadStories();
    const greedy = { temperature: 0, maxNewTokens: 40 };
    const free = (await model.generate("Once upon a time", greedy).result).text;
    // Some letters out of the middle, so that the stop text begins and ends within tokens.
    const stop = free.slice(30, 37);
    const generation = model.generate("Once upon a time", { ...greedy, stop });
    const streamed = await read(generation);
    const { text, finishReason, stopText } = await generation.result;
    return { free, stop, text, streamed, reason: finishReason, stopText };
  });
  assert.equal(reason, "stop");
  assert.equal(stopText, stop);
  assert.equal(text, free.slice(0, free.indexOf(stop)));
  assert.equal(streamed, text);
});

test("an aborted generation keeps its text, and the model goes on to work", async () => {
  await runFirstInWorker(context, pauseAfterEachToken(50));
  const { error, seen, text, tokens, reason, next } = await page.evaluate(async () => {
    const model = await loadStories();
    const controller = new AbortController();
    const generation = model.generate("Once upon a time", { signal: controller.signal, ignoreEos: true });
    let seen = "";
    const error = await nameOf(
      (async () => {
        for await (const piece of generation) {
          seen += piece;
          if (seen.length > 20) controller.abort();
        }
      })(),
    );
    const { text, tokens, finishReason } = await generation.result;
    const next = await model.generate("The cat", { maxNewTokens: 3, ignoreEos: true }).result;
    return { error, seen, text, tokens: tokens.length, reason: finishReason, next: next.finishReason };
  });
  assert.equal(error, "AbortError");
  assert.equal(reason, "abort");
  assert.ok(text.startsWith(seen), `${text}\n${seen}`);
  assert.ok(tokens < 400, `${tokens} tokens`);
  assert.equal(next, "length");
});

test("a generation that fills the context ends with that reason", async () => {
  const { reason, total } = await page.evaluate(async () => {
    const model = await loadStories({ contextLength: 32 });
    const { finishReason, usage } = await model.generate("Once upon a time", { ignoreEos: true }).result;
    return { reason: finishReason, total: usage.totalTokens };
  });
  assert.equal(reason, "context");
  assert.ok(total >= 32 && total <= 33, String(total));
});

test("text becomes ids and text again", async () => {
  const { ids, bare, text, withSpecial } = await page.evaluate(async () => {
    const model = await loadStories();
    const sentence = "Tom’s cat said “hello” to 3 birds. 🐦";
    const ids = await model.tokenize(sentence);
    const bare = await model.tokenize(sentence, { addSpecial: false });
    return {
      ids: [...ids],
      bare: [...bare],
      text: (await model.detokenize(bare)) === sentence,
      withSpecial: await model.detokenize(ids, { skipSpecial: false }),
    };
  });
  assert.equal(text, true);
  assert.deepEqual(ids.slice(-bare.length), bare);
  assert.ok(ids.length >= bare.length);
  assert.ok(withSpecial.includes("Tom"));
});

test("logits are one row of the vocabulary for each id, and agree with what is generated", async () => {
  const { length, finite, best, first } = await page.evaluate(async () => {
    const model = await loadStories();
    const ids = await model.tokenize("Once upon a time");
    const logits = await model.logits(ids);
    const last = logits.subarray((ids.length - 1) * model.info.nVocab);
    const { tokens } = await model.generate(ids, { temperature: 0, maxNewTokens: 1, ignoreEos: true }).result;
    return {
      length: logits.length / ids.length,
      finite: logits.every(Number.isFinite),
      best: last.indexOf(Math.max(...last)),
      first: tokens[0],
    };
  });
  assert.equal(length, 4096);
  assert.equal(finite, true);
  assert.equal(best, first);
});

test("two models live in one worker, and write at the same time", async () => {
  const [one, two, alone] = await page.evaluate(async () => {
    const [a, b] = await Promise.all([loadStories(), loadStories()]);
    const write = (model) => model.generate("Once upon a time", { temperature: 0, maxNewTokens: 12 }).result;
    const [one, two] = await Promise.all([write(a), write(b)]);
    await a.unload();
    return [one.text, two.text, (await write(b)).text];
  });
  assert.equal(one, two);
  assert.equal(two, alone);
});

test("unloading ends a running generation, and later calls say that the model is gone", async () => {
  const names = await page.evaluate(async () => {
    const model = await loadStories();
    const running = model.generate("Once upon a time", { ignoreEos: true });
    for await (const _ of running.tokens()) {
      void model.unload();
      break;
    }
    await model.unload();
    await model.unload();
    return [await nameOf(running.result), await nameOf(model.tokenize("a")), await nameOf(model.generate("a").result)];
  });
  // The loop was left first, so the generation may still end as aborted.
  assert.ok(["none", "UnloadedError"].includes(names[0]), names[0]);
  assert.deepEqual(names.slice(1), ["UnloadedError", "UnloadedError"]);
});

test("a prompt that is empty or too long, and ids out of the vocabulary, are named errors", async () => {
  const errors = await page.evaluate(async () => {
    const model = await loadStories({ contextLength: 64 });
    const outcomes = [
      await errorOf(model.generate("").result),
      await errorOf(model.generate("word ".repeat(200)).result),
      await errorOf(read(model.generate("word ".repeat(200)))),
      await errorOf(model.logits([4096])),
      await errorOf(loadStories({ contextLength: 100_000 })),
      await errorOf(model.chat([{ role: "user", content: "hi" }]).result),
    ];
    return {
      outcomes,
      after: (await model.generate("Once", { maxNewTokens: 1, ignoreEos: true }).result).finishReason,
    };
  });
  assert.deepEqual(
    errors.outcomes.map((error) => error?.name),
    ["InputError", "ContextFullError", "ContextFullError", "InputError", "InputError", "TemplateError"],
  );
  assert.match(errors.outcomes[1].message, /\b64\b/);
  assert.equal(errors.after, "length");
});
