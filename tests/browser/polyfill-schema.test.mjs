// `responseConstraint`: how it reaches `generate`, and what comes of an answer that cannot be held to it. The constraints
// themselves are the engine's.
import assert from "node:assert/strict";
import { test } from "node:test";
import { InputError, UnsupportedError } from "../../www/lib/errors.js";
import { assistant, rejection, sessionOver, user } from "./polyfill-fake.mjs";

const SCHEMA = { type: "object", properties: { rating: { type: "number" } } };
const failing = (error) => ({ answer: () => (async function* () { throw error; yield ""; })() });

test("a JSON schema and a regular expression reach the model as constraints", async () => {
  const { session, model } = await sessionOver();
  await session.prompt("a", { responseConstraint: SCHEMA });
  await session.prompt("a", { responseConstraint: /a+/ });
  await session.prompt("a");
  assert.deepEqual(model.calls[0].options.constraint, { jsonSchema: SCHEMA });
  assert.deepEqual(model.calls[1].options.constraint, { regex: /a+/ });
  assert.ok(!("constraint" in model.calls[2].options));
});

test("a stream is held to it as well", async () => {
  const { session, model } = await sessionOver();
  await session.promptStreaming("a", { responseConstraint: SCHEMA }).cancel();
  await session.promptStreaming("a", { responseConstraint: SCHEMA }).pipeTo(new WritableStream());
  assert.deepEqual(model.calls.at(-1).options.constraint, { jsonSchema: SCHEMA });
});

test("the model is told of it, unless that is to be left out", async () => {
  const { session, model } = await sessionOver();
  const told = { responseConstraint: SCHEMA };
  const quiet = { ...told, omitResponseConstraintInput: true };
  const [long, short] = [await session.measureContextUsage("a", told), await session.measureContextUsage("a", quiet)];
  assert.equal(short, "[user]a".length);
  assert.ok(long > short + JSON.stringify(SCHEMA).length);
  await session.prompt("a", quiet);
  assert.equal(model.calls[0].prompt, "[user]a[assistant]");
  await session.prompt("a", told);
  assert.ok(model.calls[1].prompt.includes(JSON.stringify(SCHEMA)));
});

test("to leave it out where there is none is a TypeError", async () => {
  const { session } = await sessionOver();
  const options = { omitResponseConstraintInput: true };
  assert.equal((await rejection(session.prompt("a", options))).name, "TypeError");
  assert.equal((await rejection(session.measureContextUsage("a", options))).name, "TypeError");
});

test("what is neither is a TypeError", async () => {
  const { session } = await sessionOver();
  for (const responseConstraint of ["text", 1, [], () => {}, null]) {
    assert.equal((await rejection(session.prompt("a", { responseConstraint }))).name, "TypeError");
  }
});

test("an object that contains itself is not supported", async () => {
  const { session } = await sessionOver();
  const responseConstraint = {};
  responseConstraint.self = responseConstraint;
  assert.equal((await rejection(session.prompt("a", { responseConstraint }))).name, "NotSupportedError");
});

test("a keyword that the engine does not have is a NotSupportedError, a malformed schema a TypeError", async () => {
  const options = { responseConstraint: SCHEMA };
  const unsupported = await sessionOver(failing(new UnsupportedError('the keyword "not"')));
  const error = await rejection(unsupported.session.prompt("a", options));
  assert.equal(error.name, "NotSupportedError");
  assert.match(error.message, /"not"/);
  const malformed = await sessionOver(failing(new InputError("constraint: no schema")));
  assert.equal((await rejection(malformed.session.prompt("a", options))).name, "TypeError");
});

test("an answer that ends too early for it is a SyntaxError and leaves nothing in the session", async () => {
  const { session } = await sessionOver({ finishReason: () => "context" });
  assert.equal((await rejection(session.prompt("a", { responseConstraint: SCHEMA }))).name, "SyntaxError");
  assert.equal(session.contextUsage, 0);
});

test("with a prefix it holds for the whole answer: the engine is told what stands there", async () => {
  const { session, model } = await sessionOver({ answer: () => '"a": 1}' });
  const prompt = [user("Which?"), assistant("{", { prefix: true })];
  assert.equal(await session.prompt(prompt, { responseConstraint: SCHEMA }), '"a": 1}');
  assert.deepEqual(model.calls[0].options.constraint, { jsonSchema: SCHEMA, prefix: "{" });
  assert.match(model.calls[0].prompt, /\[user\]Which\?.*JSON schema.*\[assistant\]\{$/s);
  await session.prompt("What did you say?");
  assert.ok(model.calls[1].prompt.includes('[assistant]{"a": 1}[user]What did you say?'), model.calls[1].prompt);
});

test("where the context is full it goes on from what was written", async () => {
  const finishReason = (at) => (at === 1 ? "context" : "eos");
  const answers = ["ok", '{"a"', ": 1}"];
  const { session, model } = await sessionOver({ answer: (_, { at }) => answers[at], finishReason });
  await session.prompt("first");
  assert.equal(await session.prompt("second", { responseConstraint: SCHEMA }), '{"a": 1}');
  assert.deepEqual(model.calls[2].options.constraint, { jsonSchema: SCHEMA, prefix: '{"a"' });
  assert.ok(!model.calls[2].prompt.includes("first") && model.calls[2].prompt.endsWith('[assistant]{"a"'));
});
