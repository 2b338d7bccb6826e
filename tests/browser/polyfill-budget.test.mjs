// The polyfill's models under one limit of memory. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, classesOver, held, rejection } from "./polyfill-fake.mjs";
import { createClasses } from "../../www/lib/polyfill.js";

const pair = { sourceLanguage: "en", targetLanguage: "de" };

/** Functions that load fake models of so many bytes; `log` tells loads and unloads. */
function world(how = {}) {
  const log = [];
  const loader = (name, bytes) => async () => {
    log.push(`load ${name}`);
    const model = new FakeModel({ bytes, ...how });
    return Object.assign(model, { unload: async () => void log.push(`unload ${name}`) });
  };
  return { log, loader };
}

test("a model gives way to another's, and the session that needs it loads it again and goes on", async () => {
  const prompts = [];
  const { log, loader } = world({ answer: (prompt) => (prompts.push(prompt), "ok") });
  const { LanguageModel, Translator } = createClasses({
    model: loader("chat", 60),
    translator: loader("translator", 60),
    memoryBudget: 100,
  });
  const session = await LanguageModel.create();
  await session.prompt("First");
  const translator = await Translator.create(pair);
  await translator.translate("Hello");
  assert.deepEqual(log, ["load chat", "load translator", "unload chat"]);
  assert.equal(await session.prompt("Second"), "ok");
  assert.deepEqual(log.slice(3), ["unload translator", "load chat"]);
  assert.match(prompts.at(-1), /First.*ok.*Second/s);
});

test("without a budget all stay loaded", async () => {
  const { log, loader } = world();
  const { LanguageModel, Translator } = createClasses({ model: loader("chat", 60), translator: loader("translator", 60) });
  await LanguageModel.create();
  await (await Translator.create(pair)).translate("Hello");
  assert.deepEqual(log, ["load chat", "load translator"]);
});

test("a model that is writing is not unloaded", async () => {
  const { answer, letGo, started } = held();
  const { log, loader } = world({ answer });
  const { LanguageModel, Translator } = createClasses({
    model: loader("chat", 60),
    translator: loader("translator", 60),
    memoryBudget: 100,
  });
  const session = await LanguageModel.create();
  const writing = session.prompt("Hi");
  await started;
  await Translator.create(pair);
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(!log.includes("unload chat"));
  letGo();
  assert.equal(await writing, "ok");
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(log.includes("unload chat"));
});

test("what a call begins with one load of a model it ends with it, though another waits for the room", async () => {
  const gate = held("one");
  const answers = ["first", gate.answer, "two"];
  const answer = (prompt, call) => (call.at === 1 ? gate.answer(prompt, call) : answers[call.at]);
  // Where the context is full in the middle, the prompt is made anew.
  const { log, loader } = world({ answer, finishReason: (at) => (at === 1 ? "context" : "eos") });
  const { LanguageModel, Translator } = createClasses({
    model: loader("chat", 60),
    translator: loader("translator", 60),
    memoryBudget: 100,
  });
  const session = await LanguageModel.create();
  await session.prompt("First");
  const writing = session.prompt("Second");
  await gate.started;
  const translator = Translator.create(pair);
  await new Promise((resolve) => setTimeout(resolve, 10));
  gate.letGo();
  assert.equal(await writing, "onetwo");
  await translator;
  assert.deepEqual(log.slice(0, 3), ["load chat", "load translator", "unload chat"]);
});

test("a tool may use an object whose model needs the room of the one that called it", async () => {
  const { log, loader } = world({
    answer: (prompt) => (prompt.includes("Result of t") ? '{"response": "Hallo"}' : '{"tool_calls": [{"name": "t", "arguments": {}}]}'),
  });
  const { LanguageModel, Translator } = createClasses({
    model: loader("chat", 60),
    translator: loader("translator", 60),
    memoryBudget: 100,
  });
  const execute = async () => {
    await (await Translator.create(pair)).translate("Hello");
    return "translated";
  };
  const tools = [{ name: "t", description: "Translates", inputSchema: { type: "object" }, execute }];
  const session = await LanguageModel.create({ tools });
  assert.equal(await session.prompt("Hi"), "Hallo");
  assert.deepEqual(log, ["load chat", "load translator", "unload chat", "unload translator", "load chat"]);
});

test("a budget that is no number of bytes is refused", async () => {
  const error = await rejection(() => classesOver({}, { memoryBudget: -1 }));
  assert.match(error.message, /^memoryBudget: expected a number of bytes above 0/);
});
