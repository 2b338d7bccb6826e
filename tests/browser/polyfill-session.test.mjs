// `LanguageModel` sentence by sentence (https://webmachinelearning.github.io/prompt-api/), over a model that answers as told.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeModel, assistant, classesOver, held, readAll, rejection, sessionOver, system, user } from "./polyfill-fake.mjs";
import { createClasses } from "../../www/lib/polyfill.js";

const nameOf = async (promise) => (await rejection(promise)).name;

/** Answers with a held answer at first. */
const firstThen = (first, other) => (prompt, call) => (call.at === 0 ? first.answer(prompt, call) : other);

test("the classes cannot be constructed by a page", () => {
  const { release, QuotaExceededError, ...classes } = classesOver();
  for (const name of ["LanguageModel", "Summarizer", "Writer", "Rewriter", "Translator", "LanguageDetector", "CreateMonitor"]) {
    assert.throws(() => new classes[name](), { name: "TypeError", message: "Illegal constructor" }, name);
    assert.equal(classes[name].name, name);
  }
});

test("a session is an event target that names its interface", async () => {
  const { session, LanguageModel } = await sessionOver();
  assert.ok(session instanceof LanguageModel && session instanceof EventTarget);
  assert.equal(Object.prototype.toString.call(session), "[object LanguageModel]");
});

test("prompt gives the whole answer", async () => {
  const { session } = await sessionOver({ answer: () => ["Hel", "lo"] });
  assert.equal(await session.prompt("hi"), "Hello");
});

test("promptStreaming gives what is new in each chunk", async () => {
  const { session } = await sessionOver({ answer: () => ["Hel", "lo"] });
  assert.deepEqual(await readAll(session.promptStreaming("hi")), ["Hel", "lo"]);
});

test("a text is short for one message of the user", async () => {
  const { session, model } = await sessionOver();
  await session.prompt("hi");
  assert.equal(model.calls[0].prompt, "[user]hi[assistant]");
});

test("later prompts see what was said before", async () => {
  const { session, model } = await sessionOver();
  await session.prompt("one");
  await session.prompt("two");
  assert.equal(model.calls[1].prompt, "[user]one[assistant]ok[user]two[assistant]");
});

test("initial prompts come before all others", async () => {
  const { session, model } = await sessionOver({}, { initialPrompts: [system("be brief"), user("a"), assistant("b")] });
  await session.prompt("c");
  assert.equal(model.calls[0].prompt, "[system]be brief[user]a[assistant]b[user]c[assistant]");
});

test("append adds messages without an answer", async () => {
  const { session, model } = await sessionOver();
  assert.equal(await session.append("one"), undefined);
  assert.equal(model.calls.length, 0);
  await session.prompt("two");
  assert.equal(model.calls[0].prompt, "[user]one[user]two[assistant]");
});

test("contents of text one after another are joined without a space", async () => {
  const { session, model } = await sessionOver();
  await session.prompt([user([{ type: "text", value: "foo" }, { type: "text", value: "bar" }])]);
  assert.equal(model.calls[0].prompt, "[user]foobar[assistant]");
});

for (const [what, input, text] of [
  ["null", null, "null"],
  ["undefined", undefined, "undefined"],
  ["an object", {}, "[object Object]"],
  ["an empty array", [], ""],
  ["an empty text", "", ""],
  ["a message without contents", [{ role: "user", content: [] }], ""],
]) {
  test(`${what} is taken as the text that Web IDL makes of it`, async () => {
    const { session, model } = await sessionOver();
    await session.prompt(input);
    assert.equal(model.calls[0].prompt, `[user]${text}[assistant]`);
  });
}

test("no argument at all is a TypeError", async () => {
  const { session } = await sessionOver();
  assert.equal(await nameOf(session.prompt()), "TypeError");
  assert.throws(() => session.promptStreaming(), TypeError);
});

test("an unknown role is a TypeError", async () => {
  const { session } = await sessionOver();
  assert.equal(await nameOf(session.prompt([{ role: "tool", content: "x" }])), "TypeError");
});

test("members of a message are read in the order of their names", async () => {
  const { session } = await sessionOver();
  const read = [];
  const message = new Proxy(user("hi"), { get: (target, name) => (read.push(name), target[name]) });
  await session.prompt([message]);
  assert.deepEqual(read, ["content", "prefix", "role"]);
});

test("a system message may be the first of the first prompt", async () => {
  const { session, model } = await sessionOver();
  await session.prompt([system("be brief"), user("hi")]);
  assert.equal(model.calls[0].prompt, "[system]be brief[user]hi[assistant]");
});

test("a system message anywhere else is a TypeError", async () => {
  const { session, LanguageModel } = await sessionOver();
  assert.equal(await nameOf(session.prompt([user("a"), system("b")])), "TypeError");
  assert.equal(await nameOf(session.append([system("a"), system("b")])), "TypeError");
  assert.equal(await nameOf(LanguageModel.create({ initialPrompts: [user("a"), system("b")] })), "TypeError");
  await session.append("first");
  assert.equal(await nameOf(session.prompt([system("late")])), "TypeError");
});

test("a prefix begins the answer and is not a part of the result", async () => {
  const { session, model } = await sessionOver({ answer: () => "lo" });
  assert.equal(await session.prompt([user("hi"), assistant("Hel", { prefix: true })]), "lo");
  assert.equal(model.calls[0].prompt, "[user]hi[assistant]Hel");
  await session.prompt("again");
  assert.equal(model.calls[1].prompt, "[user]hi[assistant]Hello[user]again[assistant]");
});

test("a prefix that is not last, or not the assistant's, is a SyntaxError", async () => {
  const { session } = await sessionOver();
  assert.equal(await nameOf(session.prompt([assistant("a", { prefix: true }), user("b")])), "SyntaxError");
  assert.equal(await nameOf(session.prompt([{ ...user("a"), prefix: true }])), "SyntaxError");
});

test("an assistant's message without prefix is followed by a new one", async () => {
  const { session, model } = await sessionOver();
  await session.prompt([user("a"), assistant("b")]);
  assert.equal(model.calls[0].prompt, "[user]a[assistant]b[assistant]");
});

for (const type of ["image", "audio"]) {
  test(`inputs of the type ${type} are not supported`, async () => {
    const { session, LanguageModel } = await sessionOver();
    const content = [{ type, value: new Blob([]) }];
    assert.equal(await nameOf(session.prompt([user(content)])), "NotSupportedError");
    assert.equal(await nameOf(session.prompt([assistant(content)])), "NotSupportedError");
    assert.equal(await LanguageModel.availability({ expectedInputs: [{ type }] }), "unavailable");
    assert.equal(await nameOf(LanguageModel.create({ expectedInputs: [{ type }] })), "NotSupportedError");
  });
}

test("a text whose value is not one is a TypeError", async () => {
  const { session } = await sessionOver();
  assert.equal(await nameOf(session.prompt([user([{ type: "text", value: new ArrayBuffer(8) }])])), "TypeError");
});

test("prompts are answered one after another", async () => {
  const first = held("one");
  const { session, model } = await sessionOver({ answer: firstThen(first, "two") });
  const answers = [session.prompt("a"), session.prompt("b")];
  await first.started;
  assert.equal(model.calls.length, 1);
  first.letGo();
  assert.deepEqual(await Promise.all(answers), ["one", "two"]);
  assert.equal(model.calls[1].prompt, "[user]a[assistant]one[user]b[assistant]");
});

test("a prompt that is aborted while it waits is taken out of the queue", async () => {
  const first = held("one");
  const { session, model } = await sessionOver({ answer: firstThen(first, "ok") });
  const answer = session.prompt("a");
  await first.started;
  const controller = new AbortController();
  const waiting = session.prompt("b", { signal: controller.signal });
  controller.abort();
  assert.equal(await nameOf(waiting), "AbortError");
  first.letGo();
  await answer;
  await session.prompt("c");
  assert.deepEqual(model.calls.map(({ prompt }) => prompt).slice(1), ["[user]a[assistant]one[user]c[assistant]"]);
});

test("a prompt that is aborted while it runs leaves nothing in the session", async () => {
  const first = held("one");
  const { session, model } = await sessionOver({ answer: firstThen(first, "ok") });
  const controller = new AbortController();
  const answer = session.prompt("a", { signal: controller.signal });
  await first.started;
  assert.ok(session.contextUsage > 0);
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal(session.contextUsage, 0);
  assert.equal(await rejection(answer), reason);
  await session.prompt("b");
  assert.equal(model.calls[1].prompt, "[user]b[assistant]");
});

test("an append that is aborted while it waits, or while it runs, adds nothing", async () => {
  const first = held("one");
  const { session, model } = await sessionOver({ answer: firstThen(first, "ok") });
  const answer = session.prompt("a");
  await first.started;
  const controller = new AbortController();
  const waiting = session.append("b", { signal: controller.signal });
  controller.abort();
  assert.equal(await nameOf(waiting), "AbortError");
  first.letGo();
  await answer;
  const before = session.contextUsage;
  const running = new AbortController();
  const appending = session.append("c", { signal: running.signal });
  await null;
  running.abort();
  assert.equal(await nameOf(appending), "AbortError");
  await session.prompt("d");
  assert.ok(session.contextUsage > before);
  assert.equal(model.calls[1].prompt, "[user]a[assistant]one[user]d[assistant]");
});

test("an abort after the answer does nothing", async () => {
  const { session, model } = await sessionOver();
  const controller = new AbortController();
  await session.prompt("a", { signal: controller.signal });
  controller.abort();
  await session.prompt("b");
  assert.equal(model.calls[1].prompt, "[user]a[assistant]ok[user]b[assistant]");
});

test("a signal that has fired already rejects with its reason", async () => {
  const { session, LanguageModel } = await sessionOver();
  const reason = new Error("before");
  const options = { signal: AbortSignal.abort(reason) };
  for (const call of ["prompt", "append", "measureContextUsage"]) {
    assert.equal(await rejection(session[call]("a", options)), reason, call);
  }
  assert.equal(await rejection(session.clone(options)), reason);
  assert.equal(await rejection(LanguageModel.create(options)), reason);
  assert.throws(() => session.promptStreaming("a", options), reason);
});

test("an aborted stream errors with the reason", async () => {
  const first = held("one");
  const { session } = await sessionOver({ answer: first.answer });
  const controller = new AbortController();
  const chunks = readAll(session.promptStreaming("a", { signal: controller.signal }));
  await first.started;
  const reason = new Error("enough");
  controller.abort(reason);
  assert.equal(await rejection(chunks), reason);
});

test("a cancelled stream ends the answer and leaves nothing in the session", async () => {
  const first = held("one");
  const { session, model } = await sessionOver({ answer: firstThen(first, "ok") });
  const reader = session.promptStreaming("a").getReader();
  await reader.read();
  await reader.cancel();
  assert.ok(model.calls[0].options.signal.aborted);
  await session.prompt("b");
  assert.equal(model.calls[1].prompt, "[user]b[assistant]");
});

test("destroy rejects what runs and what comes with AbortError", async () => {
  const first = held("one");
  const { session } = await sessionOver({ answer: first.answer });
  const running = [session.prompt("a"), session.append("b"), readAll(session.promptStreaming("c"))].map(nameOf);
  await first.started;
  session.destroy();
  assert.deepEqual(await Promise.all(running), ["AbortError", "AbortError", "AbortError"]);
  for (const call of ["prompt", "append", "measureContextUsage"]) {
    assert.equal(await nameOf(session[call]("a")), "AbortError", call);
  }
  assert.equal(await nameOf(session.clone()), "AbortError");
  assert.throws(() => session.promptStreaming("a"), { name: "AbortError" });
});

test("the signal of create destroys the session with its reason", async () => {
  const controller = new AbortController();
  const { session } = await sessionOver({}, { signal: controller.signal });
  const reason = new Error("gone");
  controller.abort(reason);
  assert.equal(await rejection(session.prompt("a")), reason);
});

test("a clone goes on from what was said, each on its own", async () => {
  const { session, model } = await sessionOver({}, { initialPrompts: [system("s")], samplingMode: "creative" });
  await session.prompt("a");
  const clone = await session.clone();
  assert.equal(clone.contextUsage, session.contextUsage);
  assert.equal(clone.contextWindow, session.contextWindow);
  assert.equal(clone.samplingMode, "creative");
  await clone.prompt("b");
  await session.prompt("c");
  assert.equal(model.calls[1].prompt, "[system]s[user]a[assistant]ok[user]b[assistant]");
  assert.equal(model.calls[2].prompt, "[system]s[user]a[assistant]ok[user]c[assistant]");
  session.destroy();
  assert.equal(await clone.prompt("d"), "ok");
});

test("an error of the engine is an exception of the drafts with its cause", async () => {
  const { UnsupportedError, DeviceLostError } = await import("../../www/lib/errors.js");
  const errors = [new DeviceLostError("the driver was reset"), new UnsupportedError("no such thing")];
  const answer = (_prompt, { at }) => (async function* () { throw errors[at]; yield ""; })();
  const { session } = await sessionOver({ answer });
  const lost = await rejection(session.prompt("a"));
  assert.deepEqual([lost.name, lost.message, lost.cause], ["UnknownError", "the driver was reset", errors[0]]);
  assert.equal(await nameOf(session.prompt("a")), "NotSupportedError");
  assert.equal(session.contextUsage, 0);
});

test("messages that a template refuses are put in a form that it takes", async () => {
  const refuses = (messages) => messages.some(({ role }, at) => role === "system" || role === messages[at + 1]?.role);
  const { session, model } = await sessionOver({ refuses });
  await session.append([system("be brief")]);
  await session.append("one");
  await session.prompt("two");
  assert.equal(model.calls[0].prompt, "[user]be brief\n\none\n\ntwo[assistant]");
});

test("a model without a chat template reads a plain form and is stopped where the user would speak", async () => {
  const { session, model } = await sessionOver({ hasChatTemplate: false });
  await session.prompt([system("Be brief."), user("hi")]);
  await session.prompt("more");
  assert.equal(model.calls[1].prompt, "Be brief.\n\nUser: hi\nAssistant: ok\nUser: more\nAssistant:");
  assert.deepEqual(model.calls[1].options.stop, ["\nUser:"]);
});

test("in the plain form the white space before an answer is no part of it", async () => {
  const answers = [[" ", "\n", " one", " two"], " more"];
  const { session, model } = await sessionOver({ hasChatTemplate: false, answer: (_, { at }) => answers[at] });
  assert.deepEqual(await readAll(session.promptStreaming("hi")), ["one", " two"]);
  await session.prompt([user("go on"), assistant("And", { prefix: true })]);
  assert.equal(model.calls[1].prompt, "User: hi\nAssistant: one two\nUser: go on\nAssistant: And");
});

test("the modes of sampling reach the model", async () => {
  const { LanguageModel, model } = classesOver();
  const modes = ["most-predictable", "predictable", "balanced", "creative", "most-creative"];
  for (const samplingMode of modes) {
    const session = await LanguageModel.create({ samplingMode });
    await session.prompt("a");
    assert.equal(session.samplingMode, samplingMode);
    assert.equal(session.temperature, model.calls.at(-1).options.temperature);
    assert.equal(session.topK, model.calls.at(-1).options.topK);
  }
  const temperatures = model.calls.map(({ options }) => options.temperature);
  assert.equal(temperatures[0], 0);
  assert.deepEqual(temperatures, temperatures.toSorted((a, b) => a - b));
  assert.equal(new Set(temperatures).size, modes.length);
});

test("without a mode it is balanced, an unknown one is a TypeError", async () => {
  const { session, LanguageModel } = await sessionOver();
  assert.equal(session.samplingMode, "balanced");
  assert.equal(await nameOf(LanguageModel.create({ samplingMode: "wild" })), "TypeError");
});

test("topK and temperature are taken as numbers, rounded down and held to the greatest", async () => {
  const { LanguageModel, model } = classesOver();
  const session = await LanguageModel.create({ topK: 3.7, temperature: Infinity });
  const { maxTemperature } = await LanguageModel.params();
  assert.deepEqual([session.topK, session.temperature, session.samplingMode], [3, maxTemperature, null]);
  await session.prompt("a");
  assert.equal(model.calls[0].options.topK, 3);
  assert.equal(await nameOf(LanguageModel.create({ topK: 0, temperature: 1 })), "RangeError");
  assert.equal(await nameOf(LanguageModel.create({ topK: 1, temperature: -1 })), "RangeError");
  assert.equal(await nameOf(LanguageModel.create({ topK: 1, samplingMode: "balanced" })), "TypeError");
});

test("params is null where there is no model", async () => {
  assert.equal(await createClasses({}).LanguageModel.params(), null);
  assert.ok((await classesOver().LanguageModel.params()).defaultTopK >= 1);
});

test("a malformed language tag is a RangeError, another is taken in canonical form", async () => {
  const { LanguageModel } = classesOver({}, { languages: ["en", "de-CH"] });
  const expecting = (...languages) => ({ expectedInputs: [{ type: "text", languages }] });
  assert.equal(await nameOf(LanguageModel.create(expecting("en-abc-invalid"))), "RangeError");
  assert.equal(await LanguageModel.availability(expecting("EN", "en-us", "de")), "available");
  assert.equal(await LanguageModel.availability(expecting("fr")), "unavailable");
});

test("a model that does not write is refused by name, and unavailable from then on", async () => {
  const model = new FakeModel({ kind: "encoder", name: "reader" });
  const { LanguageModel } = createClasses({ model: async () => model, userActivation: false });
  assert.equal(await LanguageModel.availability(), "downloadable");
  const error = await rejection(LanguageModel.create());
  assert.equal(error.name, "NotSupportedError");
  assert.match(error.message, /reader.*encoder/);
  assert.equal(await LanguageModel.availability(), "unavailable");
});
