// Texts that a page asks for at the same time: written together, each as it is alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./library.mjs";

test("eight texts at once are each what it is alone, whatever is asked of them", async () => {
  const { limits, together, alone } = await page.evaluate(async () => {
    const requests = [
      ["Once upon a time", { temperature: 0, maxNewTokens: 24 }],
      ["Lily and Tom went to the park. ".repeat(9), { temperature: 0.9, seed: 7, maxNewTokens: 12 }],
      ["Tom had a red ball", { temperature: 0.8, seed: 3, repetitionPenalty: 1.3, maxNewTokens: 20 }],
      ["The cat", { temperature: 0.7, seed: 11, stop: ["."], maxNewTokens: 60 }],
      ["One day", { temperature: 0.9, seed: 5, logprobs: 2, frequencyPenalty: 0.5, maxNewTokens: 16 }],
      ["Mom said", { temperature: 0.9, seed: 9, logitBias: { 13: -100 }, maxNewTokens: 16 }],
      ["Once upon a time", { temperature: 0, noRepeatNgramSize: 2, maxNewTokens: 18 }],
      ["Answer: ", { temperature: 0, constraint: { regex: "(yes|no), [a-z]{3,8}" }, maxNewTokens: 18 }],
    ];
    const told = ({ text, tokens, finishReason, stopText, usage, logprobs }) => ({
      text,
      tokens: [...tokens],
      finishReason,
      stopText,
      completion: usage.completionTokens,
      logprobs,
    });
    const model = await loadStories();
    const together = await Promise.all(requests.map(([text, options]) => model.generate(text, options).result));
    const lone = await loadStories({ maxBatch: 1 });
    const alone = [];
    for (const [text, options] of requests) alone.push(await lone.generate(text, options).result);
    const limits = [model.info.maxBatch, lone.info.maxBatch];
    return { limits, together: together.map(told), alone: alone.map(told) };
  });
  assert.deepEqual(limits, [8, 1]);
  assert.deepEqual(together, alone);
  assert.ok(new Set(alone.map(({ text }) => text)).size > 6);
});

test("a short text ends before a long one that came first; of models that write one at a time, after it", async () => {
  const orders = await page.evaluate(async () => {
    const orders = [];
    for (const maxBatch of [undefined, 1]) {
      const model = await loadStories({ maxBatch });
      const order = [];
      const write = (name, maxNewTokens) =>
        model.generate("Once", { maxNewTokens, ignoreEos: true }).result.then(() => order.push(name));
      await Promise.all([write("long", 120), write("short", 5)]);
      orders.push(order);
    }
    return orders;
  });
  assert.deepEqual(orders, [
    ["short", "long"],
    ["long", "short"],
  ]);
});

test("a text that has no place waits for the first that ends, and none waits for one that came later", async () => {
  const { begun, ended } = await page.evaluate(async () => {
    const model = await loadStories({ maxBatch: 2 });
    const begun = [];
    const ended = [];
    const write = async (name, maxNewTokens, options) => {
      const generation = model.generate("Once", { maxNewTokens, ignoreEos: true, ...options });
      let isFirst = true;
      for await (const _ of generation.tokens()) {
        if (isFirst) begun.push(name);
        isFirst = false;
      }
      ended.push(name);
    };
    await Promise.all([
      write("long", 90),
      write("short", 10),
      write("next", 10),
      write("exact", 10, { precision: "exact" }), // has to be alone
      write("last", 10),
    ]);
    return { begun, ended };
  });
  assert.deepEqual(begun, ["long", "short", "next", "exact", "last"]);
  assert.deepEqual(ended, ["short", "next", "long", "exact", "last"]);
});

test("a text that is aborted, and one that is refused, leave the others as they are", async () => {
  const { aborted, refused, texts, alone } = await page.evaluate(async () => {
    const model = await loadStories();
    const options = { temperature: 0, maxNewTokens: 40, ignoreEos: true };
    const prompts = ["Once upon a time", "The cat", "Tom had"];
    const others = prompts.map((prompt) => model.generate(prompt, options).result);
    const controller = new AbortController();
    const gone = model.generate("One day", { ...options, signal: controller.signal });
    const refused = errorOf(model.generate("big ".repeat(600), options).result);
    let n = 0;
    try {
      for await (const _ of gone.tokens()) if ((n += 1) === 3) controller.abort();
    } catch {
      // the signal's reason
    }
    const aborted = (await gone.result).finishReason;
    const texts = (await Promise.all(others)).map(({ text }) => text);
    const alone = [];
    for (const prompt of prompts) alone.push((await model.generate(prompt, options).result).text);
    return { aborted, refused: await refused, texts, alone };
  });
  assert.equal(aborted, "abort");
  assert.equal(refused.name, "ContextFullError");
  assert.deepEqual(texts, alone);
});

test("sessions that go on at the same time each find their text again", async () => {
  const { found, expected, read } = await page.evaluate(async () => {
    const greedy = { temperature: 0, maxNewTokens: 8, ignoreEos: true };
    const model = await loadStories();
    const beginnings = ["Once upon a time, there was a", "Tom and his dog went to", "The big red ball was in the"];
    const sessions = await Promise.all(beginnings.map((text) => model.session({ text })));
    const found = [];
    const prompts = [];
    const read = [];
    for (let turn = 0; turn < 3; turn += 1) {
      const results = await Promise.all(sessions.map((session) => session.generate("", greedy).result));
      for (const [at, { tokens, usage }] of results.entries()) {
        found.push([...tokens]);
        prompts.push([...sessions[at].ids].slice(0, -tokens.length));
        if (turn > 0) read.push(usage.promptTokens - usage.cachedTokens);
      }
    }
    const fresh = await loadStories({ maxBatch: 1 });
    const expected = [];
    for (const ids of prompts) expected.push([...(await fresh.generate(ids, greedy).result).tokens]);
    return { found, expected, read };
  });
  assert.deepEqual(found, expected);
  assert.deepEqual(read, [1, 1, 1, 1, 1, 1]);
});
