// Tools of a session: what the model is told, how its calls are found, and how their results come back to it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { classesOver, readAll, rejection, sessionOver, user } from "./polyfill-fake.mjs";

const weather = (execute = async ({ city }) => `${city}: rain`) => ({
  name: "weather",
  description: "Tells the weather.",
  inputSchema: { type: "object", properties: { city: { type: "string" } } },
  execute,
});

const call = (city) => `<tool_call>${JSON.stringify({ name: "weather", arguments: { city } })}</tool_call>`;

/** A model that answers one thing after another. */
const answering = (...answers) => ({ answer: (_, { at }) => answers[at] });

test("a call is executed, and the model goes on with its result", async () => {
  const { session, model } = await sessionOver(answering(`Let me see. ${call("Oslo")}`, "It rains."), { tools: [weather()] });
  assert.equal(await session.prompt("Oslo?"), "Let me see. It rains.");
  assert.match(model.calls[0].prompt, /^\[system\].*Tells the weather.*\[user\]Oslo\?\[assistant\]$/s);
  const result = `<tool_response>${JSON.stringify({ name: "weather", content: "Oslo: rain" })}</tool_response>`;
  assert.ok(model.calls[1].prompt.endsWith(`${call("Oslo")}[user]${result}[assistant]`), model.calls[1].prompt);
});

test("the calls and results stay in the session", async () => {
  const { session, model } = await sessionOver(answering(call("Oslo"), "It rains.", "ok"), { tools: [weather()] });
  await session.prompt("Oslo?");
  await session.prompt("Sure?");
  assert.match(model.calls[2].prompt, /Oslo: rain.*It rains\.\[user\]Sure\?\[assistant\]$/s);
});

test("calls of one answer run at the same time", async () => {
  let running = 0;
  let most = 0;
  const execute = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    return "rain";
  };
  const answers = answering(call("Oslo") + call("Rome"), "Rain in both.");
  const { session } = await sessionOver(answers, { tools: [weather(execute)] });
  assert.equal(await session.prompt("?"), "Rain in both.");
  assert.equal(most, 2);
});

test("a stream shows the text around calls and nothing of them", async () => {
  const first = ["See", ": <to", 'ol_call>{"name":"weather",', '"arguments":{"city":"Oslo"}}</tool_call>'];
  const pieces = [first, ["1 <", " 2"]];
  const { session } = await sessionOver(answering(...pieces), { tools: [weather()] });
  assert.deepEqual(await readAll(session.promptStreaming("?")), ["See", ": ", "1 ", "< 2"]);
});

test("what only begins like a call is shown in the end", async () => {
  const { session } = await sessionOver(answering(["a <tool", "_ca"]), { tools: [weather()] });
  assert.equal(await session.prompt("?"), "a <tool_ca");
});

test("a call that is not JSON, or names no tool, is told to the model", async () => {
  const answers = answering("<tool_call>{oops</tool_call>", '<tool_call>{"name":"news"}</tool_call>', "Sorry.");
  const { session, model } = await sessionOver(answers, { tools: [weather()] });
  assert.equal(await session.prompt("?"), "Sorry.");
  assert.match(model.calls[1].prompt, /error: a call is not JSON/);
  assert.match(model.calls[2].prompt, /error: there is no function \\"news\\"/);
});

test("what a tool throws rejects the prompt and leaves nothing in the session", async () => {
  const failure = new Error("no network");
  const { session } = await sessionOver(answering(call("Oslo")), { tools: [weather(() => Promise.reject(failure))] });
  assert.equal(await rejection(session.prompt("?")), failure);
  assert.equal(session.contextUsage, 0);
});

test("an abort does not wait for a tool", async () => {
  const execute = () => new Promise(() => {});
  const { session } = await sessionOver(answering(call("Oslo"), "second"), { tools: [weather(execute)] });
  const controller = new AbortController();
  const answer = session.prompt("?", { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  assert.equal((await rejection(answer)).name, "AbortError");
  assert.equal(await session.prompt("again"), "second");
});

test("a template that tells of tools in this form is given them", async () => {
  const { session, model } = await sessionOver({ tellsTools: true, ...answering(call("Oslo"), "ok") }, { tools: [weather()] });
  await session.prompt("?");
  assert.match(model.calls[0].prompt, /^\[tools as <tool_call>: \[{"type":"function","function":{"name":"weather"/);
  const calls = [{ type: "function", function: { name: "weather", arguments: { city: "Oslo" } } }];
  const told = `[assistant]${JSON.stringify(calls)}[tool]Oslo: rain[assistant]`;
  assert.ok(model.calls[1].prompt.endsWith(told), model.calls[1].prompt);
});

test("without tools nothing is taken for a call", async () => {
  const { session } = await sessionOver(answering(call("Oslo")));
  assert.equal(await session.prompt("?"), call("Oslo"));
});

test("tools count as part of the context", async () => {
  const { session } = await sessionOver({}, { tools: [weather()] });
  assert.ok((await session.measureContextUsage("?")) > "Tells the weather.".length);
});

for (const [what, change] of [
  ["no name", { name: "" }],
  ["no description", { description: "" }],
  ["no schema", { inputSchema: undefined }],
  ["a schema that is null", { inputSchema: null }],
  ["a schema of another type", { inputSchema: { type: "string" } }],
  ["properties that are none", { inputSchema: { type: "object", properties: "x" } }],
  ["no function", { execute: undefined }],
]) {
  test(`a tool with ${what} is a TypeError`, async () => {
    const { LanguageModel } = classesOver();
    const tools = [{ ...weather(), ...change }];
    assert.equal((await rejection(LanguageModel.create({ tools }))).name, "TypeError");
    assert.equal((await rejection(LanguageModel.availability({ tools }))).name, "TypeError");
  });
}

test("two tools of one name, or a schema that contains itself, are TypeErrors", async () => {
  const { LanguageModel } = classesOver();
  assert.equal((await rejection(LanguageModel.create({ tools: [weather(), weather()] }))).name, "TypeError");
  const inputSchema = { type: "object" };
  inputSchema.self = inputSchema;
  assert.equal((await rejection(LanguageModel.create({ tools: [{ ...weather(), inputSchema }] }))).name, "TypeError");
});

test("what a schema throws while it is read is thrown", async () => {
  const { LanguageModel } = classesOver();
  const failure = new Error("getter");
  const inputSchema = { type: "object", get properties() { throw failure; } };
  assert.equal(await rejection(LanguageModel.create({ tools: [{ ...weather(), inputSchema }] })), failure);
});

test("calls and results of tools may be expected, but not given by the page", async () => {
  const { LanguageModel, session } = await sessionOver();
  const expected = { expectedInputs: [{ type: "tool-response" }], expectedOutputs: [{ type: "tool-call" }] };
  assert.equal(await LanguageModel.availability(expected), "available");
  const given = session.prompt([user([{ type: "tool-response", value: "x" }])]);
  assert.equal((await rejection(given)).name, "NotSupportedError");
});
