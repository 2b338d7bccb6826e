// How much of the context a session takes, and what goes when it is full. A token is a character here.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assistant, held, rejection, sessionOver, system, user } from "./polyfill-fake.mjs";

/** Of 80 tokens, 10 are kept for the answer. */
const SMALL = { contextLength: 80 };

function events(session) {
  const heard = [];
  for (const type of ["contextoverflow", "quotaoverflow"]) session.addEventListener(type, () => heard.push(type));
  return heard;
}

test("a new session takes nothing", async () => {
  const { session } = await sessionOver();
  assert.equal(session.contextUsage, 0);
});

test("initial prompts count", async () => {
  const { session } = await sessionOver({}, { initialPrompts: [system("12345")] });
  assert.equal(session.contextUsage, "[system]12345".length);
});

test("append adds as much as was measured", async () => {
  const { session } = await sessionOver({}, { initialPrompts: [system("12345")] });
  const before = session.contextUsage;
  const measured = await session.measureContextUsage("hello");
  assert.equal(measured, "[user]hello".length);
  await session.append("hello");
  assert.equal(session.contextUsage, before + measured);
});

test("measuring changes nothing", async () => {
  const { session, model } = await sessionOver();
  await session.measureContextUsage("hello");
  assert.equal(session.contextUsage, 0);
  assert.equal(model.calls.length, 0);
});

test("a prompt counts while it is answered, and with its answer afterwards", async () => {
  const gate = held("answer");
  const { session } = await sessionOver({ answer: gate.answer });
  const answer = session.prompt("hi");
  await gate.started;
  assert.equal(session.contextUsage, "[user]hi".length);
  gate.letGo();
  await answer;
  assert.equal(session.contextUsage, "[user]hi[assistant]answer".length);
});

test("a part of the model's context is kept for the answer", async () => {
  const { session } = await sessionOver(SMALL);
  assert.equal(session.contextWindow, 70);
});

test("the oldest pairs go when there is no room, and an event tells", async () => {
  const { session, model } = await sessionOver(SMALL);
  const heard = events(session);
  let called = 0;
  session.oncontextoverflow = () => called++;
  await session.prompt("a".repeat(15)); // 15 + 19
  await session.prompt("b".repeat(10)); // 10 + 19
  assert.deepEqual(heard, []);
  await session.prompt("c".repeat(10));
  assert.equal(model.calls[2].prompt, `[user]${"b".repeat(10)}[assistant]ok[user]${"c".repeat(10)}[assistant]`);
  assert.deepEqual(heard, ["contextoverflow", "quotaoverflow"]);
  assert.equal(called, 1);
});

test("initial prompts never go", async () => {
  const { session, model } = await sessionOver(SMALL, { initialPrompts: [user("keep"), assistant("me")] });
  await session.prompt("a".repeat(10));
  await session.prompt("b".repeat(20));
  assert.equal(model.calls[1].prompt, `[user]keep[assistant]me[user]${"b".repeat(20)}[assistant]`);
});

test("a system message that came with the first prompt never goes", async () => {
  const { session, model } = await sessionOver(SMALL);
  await session.prompt([system("keep"), user("a".repeat(10))]);
  await session.prompt("b".repeat(30));
  assert.equal(model.calls[1].prompt, `[system]keep[user]${"b".repeat(30)}[assistant]`);
});

test("append makes room as prompt does", async () => {
  const { session } = await sessionOver(SMALL);
  const heard = events(session);
  await session.append("a".repeat(40));
  await session.append("b".repeat(40));
  assert.deepEqual(heard, ["contextoverflow", "quotaoverflow"]);
  assert.equal(session.contextUsage, "[user]".length + 40);
});

test("what would not fit alone is a QuotaExceededError with requested and quota, and nothing goes", async () => {
  const { session, LanguageModel, model } = await sessionOver(SMALL);
  const heard = events(session);
  await session.prompt("a");
  const before = session.contextUsage;
  for (const call of ["prompt", "append"]) {
    const error = await rejection(session[call]("b".repeat(70)));
    assert.equal(error.name, "QuotaExceededError");
    assert.ok(error instanceof DOMException);
    assert.deepEqual([error.requested, error.quota], [76, 70]);
  }
  assert.equal(session.contextUsage, before);
  assert.deepEqual(heard, []);
  await session.prompt("c");
  assert.equal(model.calls[1].prompt, "[user]a[assistant]ok[user]c[assistant]");
  const creation = await rejection(LanguageModel.create({ initialPrompts: [system("b".repeat(70))] }));
  assert.deepEqual([creation.name, creation.requested, creation.quota], ["QuotaExceededError", 78, 70]);
});

test("a prompt that is aborted while it waits drops nothing", async () => {
  const gate = held("xx");
  const { session, model } = await sessionOver({ ...SMALL, answer: (p, call) => (call.at === 0 ? gate.answer(p, call) : "ok") });
  const heard = events(session);
  const first = session.prompt("a".repeat(20));
  await gate.started;
  const controller = new AbortController();
  const waiting = rejection(session.prompt("b".repeat(40), { signal: controller.signal }));
  controller.abort();
  await waiting;
  gate.letGo();
  await first;
  await session.prompt("c");
  assert.deepEqual(heard, []);
  assert.equal(model.calls[1].prompt, `[user]${"a".repeat(20)}[assistant]xx[user]c[assistant]`);
});

test("an abort does not bring back what went", async () => {
  const gate = held("xx");
  const { session, model } = await sessionOver({ ...SMALL, answer: (p, call) => (call.at === 1 ? gate.answer(p, call) : "ok") });
  await session.prompt("a".repeat(30));
  const controller = new AbortController();
  const answer = session.prompt("b".repeat(40), { signal: controller.signal });
  await gate.started;
  controller.abort();
  await rejection(answer);
  assert.equal(session.contextUsage, 0);
  await session.prompt("c");
  assert.equal(model.calls[2].prompt, "[user]c[assistant]");
});

test("an answer that fills the context makes room for itself and goes on", async () => {
  const answers = ["one", "two, ", "and more"];
  const finishReason = (at) => (at === 1 ? "context" : "eos");
  const { session, model } = await sessionOver({ answer: (_, { at }) => answers[at], finishReason });
  const heard = events(session);
  await session.prompt("a");
  assert.equal(await session.prompt("b"), "two, and more");
  assert.equal(model.calls[2].prompt, "[user]b[assistant]two, ");
  assert.deepEqual(heard, ["contextoverflow", "quotaoverflow"]);
});

test("an answer that fills the context alone ends there", async () => {
  const { session } = await sessionOver({ finishReason: () => "context" });
  assert.equal(await session.prompt("b"), "ok");
});

test("the old names are the new ones", async () => {
  const { session } = await sessionOver({}, { initialPrompts: [system("12345")] });
  assert.equal(session.inputUsage, session.contextUsage);
  assert.equal(session.inputQuota, session.contextWindow);
  assert.equal(await session.measureInputUsage("hello"), await session.measureContextUsage("hello"));
});

test("a handler that is set replaces the one before, and null takes it away", async () => {
  const { session } = await sessionOver(SMALL);
  assert.equal(session.onquotaoverflow, null);
  const heard = [];
  session.onquotaoverflow = () => heard.push("first");
  session.onquotaoverflow = () => heard.push("second");
  await session.append("a".repeat(40));
  await session.append("b".repeat(40));
  session.onquotaoverflow = null;
  await session.append("c".repeat(40));
  assert.deepEqual(heard, ["second"]);
});
