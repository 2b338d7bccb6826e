// The polyfill in a page: answers that are held to a form, and summaries found by a search.
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { page } from "./library.mjs";

beforeEach(() =>
  page.evaluate(async () => {
    const { createClasses } = await import("/lib/polyfill.js");
    const model = await loadStories({ contextLength: 512 });
    Object.assign(globalThis, createClasses({ model }));
    globalThis.failureOf = (promise) => promise.then(() => null, ({ name, message }) => ({ name, message }));
  }),
);

test("an answer fits the JSON schema that it is held to", async () => {
  const answers = await page.evaluate(async () => {
    const responseConstraint = {
      type: "object",
      properties: { mood: { enum: ["glad", "sad"] }, isTrue: { type: "boolean" } },
      required: ["mood", "isTrue"],
      additionalProperties: false,
    };
    const session = await LanguageModel.create();
    const whole = await session.prompt("How is the bird?", { responseConstraint });
    let streamed = "";
    const options = { responseConstraint, omitResponseConstraintInput: true };
    for await (const chunk of session.promptStreaming("And now?", options)) streamed += chunk;
    return [whole, streamed];
  });
  for (const answer of answers) {
    const { mood, isTrue, ...rest } = JSON.parse(answer);
    assert.ok(["glad", "sad"].includes(mood), answer);
    assert.equal(typeof isTrue, "boolean");
    assert.deepEqual(rest, {});
  }
});

test("an answer matches the regular expression that it is held to", async () => {
  const answer = await page.evaluate(async () => {
    const session = await LanguageModel.create();
    return session.prompt("How many birds?", { responseConstraint: /(one|two|three) birds?/ });
  });
  assert.match(answer, /^(one|two|three) birds?$/);
});

test("with a prefix the whole answer fits, and a prefix of no answer that fits is a TypeError", async () => {
  const { text, json, failure } = await page.evaluate(async () => {
    const session = await LanguageModel.create();
    const ask = (prefix, responseConstraint) =>
      session.prompt([{ role: "user", content: "Which bird?" }, { role: "assistant", content: prefix, prefix: true }], {
        responseConstraint,
      });
    const schema = {
      type: "object",
      properties: { bird: { enum: ["jay", "owl"] } },
      required: ["bird"],
      additionalProperties: false,
    };
    return {
      text: await ask("The b", /The (blue jay|big owl|old hen) (flew|sang)\./),
      json: await ask('{"bird": "o', schema),
      failure: await failureOf(ask('{"birds"', schema)),
    };
  });
  assert.match(text, /^(lue jay|ig owl) (flew|sang)\.$/);
  assert.deepEqual(JSON.parse(`{"bird": "o${json}`), { bird: "owl" });
  assert.equal(failure.name, "TypeError");
  assert.match(failure.message, /prefix: no text that fits begins with it: it may go as far as "\{\\"bird"/);
});

test("a keyword that the engine does not have is a NotSupportedError that names it", async () => {
  const failure = await page.evaluate(async () => {
    const session = await LanguageModel.create();
    const responseConstraint = { type: "array", uniqueItems: true };
    return failureOf(session.prompt("Which?", { responseConstraint }));
  });
  assert.equal(failure.name, "NotSupportedError");
  assert.match(failure.message, /uniqueItems/);
});

test("a schema that is none is a TypeError", async () => {
  const failure = await page.evaluate(async () => {
    const session = await LanguageModel.create();
    return failureOf(session.prompt("Which?", { responseConstraint: { type: "banana" } }));
  });
  assert.equal(failure.name, "TypeError");
});

test("an answer that cannot end in time is a SyntaxError", async () => {
  const failure = await page.evaluate(async () => {
    const session = await LanguageModel.create();
    return failureOf(session.prompt("Count.", { responseConstraint: /(ab ){4000}/, omitResponseConstraintInput: true }));
  });
  assert.equal(failure.name, "SyntaxError");
});

test("a summary that is found by a search comes as text, once", async () => {
  const chunks = await page.evaluate(async () => {
    const summarizer = await Summarizer.create({ type: "tldr", preference: "capability" });
    const chunks = [];
    for await (const chunk of summarizer.summarizeStreaming("A girl found a bird.")) chunks.push(chunk);
    return chunks;
  });
  assert.ok(chunks.length > 0);
  for (const chunk of chunks) assert.equal(typeof chunk, "string");
});
