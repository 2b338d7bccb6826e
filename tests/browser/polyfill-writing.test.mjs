// Summarizer, Writer and Rewriter: https://webmachinelearning.github.io/writing-assistance-apis/
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, classesOver, held, readAll, rejection } from "./polyfill-fake.mjs";
import { createClasses } from "../../www/lib/polyfill.js";

const SUMMARIZER = {
  type: ["key-points", "tldr", "teaser", "headline"],
  format: ["markdown", "plain-text"],
  length: ["short", "medium", "long"],
  preference: ["auto", "speed", "capability"],
};
const WRITER = {
  tone: ["neutral", "formal", "casual"],
  format: ["markdown", "plain-text"],
  length: ["short", "medium", "long"],
};
const REWRITER = {
  tone: ["as-is", "more-formal", "more-casual"],
  format: ["as-is", "plain-text", "markdown"],
  length: ["as-is", "shorter", "longer"],
};
/** Name, verb, and the values of each option, of which the first is the default. */
const KINDS = [
  ["Summarizer", "summarize", SUMMARIZER],
  ["Writer", "write", WRITER],
  ["Rewriter", "rewrite", REWRITER],
];

for (const [name, verb, choices] of KINDS) {
  test(`${name}: without options it has the draft's defaults`, async () => {
    const object = await classesOver()[name].create();
    for (const [choice, [first]] of Object.entries(choices)) assert.equal(object[choice], first, choice);
    assert.equal(object.sharedContext, "");
    for (const languages of ["expectedInputLanguages", "expectedContextLanguages", "outputLanguage"]) {
      assert.equal(object[languages], null, languages);
    }
    assert.equal(Object.prototype.toString.call(object), `[object ${name}]`);
  });

  for (const [choice, values] of Object.entries(choices)) {
    test(`${name}: each ${choice} changes what the model is asked, or how it writes`, async () => {
      const { model, ...classes } = classesOver();
      for (const value of values) {
        const object = await classes[name].create({ [choice]: value });
        assert.equal(object[choice], value);
        await object[verb]("Some text.");
      }
      const asked = model.calls.map(({ prompt, options: { signal, ...rest } }) => JSON.stringify([prompt, rest]));
      assert.equal(new Set(asked).size, values.length);
    });

    test(`${name}: another ${choice} is a TypeError`, async () => {
      const { [name]: Class } = classesOver();
      assert.equal((await rejection(Class.create({ [choice]: "other" }))).name, "TypeError");
      assert.equal((await rejection(Class.availability({ [choice]: "other" }))).name, "TypeError");
    });
  }

  test(`${name}: options are read in the order of their names, those of create after the others`, async () => {
    const { [name]: Class } = classesOver();
    const read = [];
    await Class.create(new Proxy({}, { get: (_, key) => void read.push(key) }));
    const core = [...Object.keys(choices), "expectedContextLanguages", "expectedInputLanguages", "outputLanguage"].sort();
    assert.deepEqual(read, [...core, "monitor", "sharedContext", "signal"]);
  });

  test(`${name}: the text comes whole or in chunks`, async () => {
    const object = await classesOver({ answer: () => ["a", "b"] })[name].create({ type: "tldr" });
    assert.equal(await object[verb]("x"), "ab");
    assert.deepEqual(await readAll(object[`${verb}Streaming`]("x")), ["a", "b"]);
  });

  test(`${name}: the white space before a text in the plain form is no part of it`, async () => {
    const object = await classesOver({ hasChatTemplate: false, answer: () => [" ", "\n a", " b"] })[name].create();
    assert.deepEqual(await readAll(object[`${verb}Streaming`]("x")), ["a", " b"]);
  });

  test(`${name}: contexts and the language of the output reach the model`, async () => {
    const { model, ...classes } = classesOver();
    const object = await classes[name].create({ sharedContext: "SHARED", outputLanguage: "DE" });
    assert.equal(object.outputLanguage, "de");
    await object[verb]("INPUT", { context: "OWN" });
    assert.match(model.calls[0].prompt, /German.*SHARED.*OWN.*INPUT/s);
  });

  test(`${name}: languages are canonical, each once, in frozen arrays`, async () => {
    const { [name]: Class } = classesOver();
    const object = await Class.create({ expectedInputLanguages: ["EN", "en", "de-ch"], expectedContextLanguages: [] });
    assert.deepEqual(object.expectedInputLanguages, ["en", "de-CH"]);
    assert.ok(Object.isFrozen(object.expectedInputLanguages));
    assert.equal(object.expectedInputLanguages, object.expectedInputLanguages);
    assert.equal(object.expectedContextLanguages, null);
    assert.equal((await rejection(Class.create({ outputLanguage: "en-abc-invalid" }))).name, "RangeError");
    assert.equal((await rejection(Class.create({ expectedInputLanguages: "en" }))).name, "TypeError");
  });

  test(`${name}: a language that the model does not know makes it unavailable`, async () => {
    const { [name]: Class } = classesOver({}, { languages: ["en"] });
    assert.equal(await Class.availability({ outputLanguage: "en-GB" }), "available");
    for (const options of [{ outputLanguage: "ja" }, { expectedInputLanguages: ["ja"] }, { expectedContextLanguages: ["ja"] }]) {
      assert.equal(await Class.availability(options), "unavailable");
      assert.equal((await rejection(Class.create(options))).name, "NotSupportedError");
    }
  });

  test(`${name}: what has no content gives nothing, without the model`, async () => {
    const { model, ...classes } = classesOver();
    const object = await classes[name].create();
    assert.equal(await object[verb](" \n\t\u0001"), "");
    assert.deepEqual(await readAll(object[`${verb}Streaming`]("")), []);
    assert.equal(model.calls.length, 0);
  });

  test(`${name}: usage is what is read for the input, and too much is a QuotaExceededError`, async () => {
    const { model, ...classes } = classesOver({ contextLength: 1000 });
    const object = await classes[name].create();
    assert.equal(object.inputQuota, 875);
    const usage = await object.measureInputUsage("hello", { context: "c" });
    await object[verb]("hello", { context: "c" });
    assert.equal(usage, model.calls[0].prompt.length);
    const input = "x".repeat(875);
    const error = await rejection(object[verb](input));
    assert.deepEqual([error.name, error.quota], ["QuotaExceededError", 875]);
    assert.equal(error.requested, await object.measureInputUsage(input));
  });

  test(`${name}: aborts and destroy reject with their reasons`, async () => {
    const gate = held();
    const object = await classesOver({ answer: gate.answer })[name].create();
    const reason = new Error("enough");
    const controller = new AbortController();
    const answer = object[verb]("x", { signal: controller.signal });
    await gate.started;
    controller.abort(reason);
    assert.equal(await rejection(answer), reason);
    assert.equal(await rejection(object.measureInputUsage("x", { signal: controller.signal })), reason);
    const others = [object[verb]("x"), object.measureInputUsage("x"), readAll(object[`${verb}Streaming`]("x"))].map(rejection);
    object.destroy();
    for (const other of others) assert.equal((await other).name, "AbortError");
    assert.throws(() => object[`${verb}Streaming`]("x"), { name: "AbortError" });
  });

  test(`${name}: its members belong to its own objects alone`, async () => {
    const { [name]: Class } = classesOver();
    assert.throws(() => Class.prototype.sharedContext, TypeError);
    assert.equal((await rejection(Class.prototype[verb].call({}, "x"))).name, "TypeError");
  });
}

test("Summarizer: speed writes no more than a few tokens, capability tries several ways", async () => {
  const { model, Summarizer } = classesOver();
  for (const preference of ["auto", "speed", "capability"]) await (await Summarizer.create({ preference })).summarize("x");
  const [auto, speed, capability] = model.calls.map(({ options }) => options);
  assert.deepEqual([auto.maxNewTokens, auto.numBeams], [undefined, undefined]);
  assert.equal(speed.maxNewTokens, 64);
  assert.equal(capability.numBeams, 4);
});

const BART = { kind: "encoder-decoder", architecture: "bart", hasChatTemplate: false };

test("Summarizer: an encoder-decoder reads the text itself, T5 after its word for the task", async () => {
  for (const [architecture, prompt] of [["bart", "Some text."], ["t5", "summarize: Some text."]]) {
    const { model, Summarizer } = classesOver({ ...BART, architecture });
    await (await Summarizer.create({ type: "tldr" })).summarize("Some text.");
    assert.equal(model.calls[0].prompt, prompt);
  }
});

test("Summarizer: key points of an encoder-decoder are its first sentences", async () => {
  const { Summarizer } = classesOver({ ...BART, answer: () => ["One is. Two", " is. Three is. Four is."] });
  const summarizer = await Summarizer.create({ type: "key-points", length: "short" });
  assert.equal(await summarizer.summarize("x"), "- One is.\n- Two is.\n- Three is.");
  const plain = await Summarizer.create({ type: "key-points", length: "medium", format: "plain-text" });
  assert.equal(await plain.summarize("x"), "• One is.\n• Two is.\n• Three is.\n• Four is.");
});

test("Summarizer: teasers and headlines are refused where an encoder-decoder cannot be told of them", async () => {
  const { Summarizer } = classesOver(BART);
  for (const type of ["teaser", "headline"]) {
    const error = await rejection(Summarizer.create({ type }));
    assert.equal(error.name, "NotSupportedError");
    assert.match(error.message, /fake makes plain summaries/);
  }
});

test("Writer and Rewriter need a model that can be told what to do", async () => {
  const { Writer, Rewriter } = classesOver(BART);
  for (const Class of [Writer, Rewriter]) {
    assert.equal(await Class.availability(), "unavailable");
    assert.equal((await rejection(Class.create())).name, "NotSupportedError");
  }
});

test("Summarizer may have a model of its own", async () => {
  const own = new FakeModel({ answer: () => "own" });
  const { Summarizer, Writer } = createClasses({ model: new FakeModel(), summarizer: own });
  assert.equal(await (await Summarizer.create()).summarize("x"), "own");
  assert.equal(await (await Writer.create()).write("x"), "ok");
});
