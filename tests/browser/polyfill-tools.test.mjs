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

/** Calls in the syntax of a template that has one. */
const call = (city) => `<tool_call>${JSON.stringify({ name: "weather", arguments: { city } })}</tool_call>`;

/** Calls and text where the template has none: JSON, which the model is held to. */
const generic = (city) => JSON.stringify({ tool_calls: [{ name: "weather", arguments: { city } }] });
const words = (text) => JSON.stringify({ response: text });

/** A model that answers one thing after another; `native` by a template that tells of tools. */
const answering = (...answers) => ({ answer: (_, { at }) => answers[at] });
const native = (...answers) => ({ tellsTools: true, ...answering(...answers) });

test("a template that tells of tools is given them, and its calls are executed in its own syntax", async () => {
  const { session, model } = await sessionOver(native(`Let me see. ${call("Oslo")}`, "It rains."), { tools: [weather()] });
  assert.equal(await session.prompt("Oslo?"), "Let me see.\n\nIt rains.");
  assert.match(model.calls[0].prompt, /^\[tools as <tool_call>: \[{"type":"function","function":{"name":"weather"/);
  assert.equal(model.calls[0].options.constraint, undefined);
  const calls = [{ id: "call_0", type: "function", function: { name: "weather", arguments: { city: "Oslo" } } }];
  const told = `[assistant]Let me see.${JSON.stringify(calls)}[tool]Oslo: rain[assistant]`;
  assert.ok(model.calls[1].prompt.endsWith(told), model.calls[1].prompt);
});

test("a template without tools has them told in words, and the answer is held to a call or text", async () => {
  const { session, model } = await sessionOver(answering(generic("Oslo"), words("It rains.")), { tools: [weather()] });
  assert.equal(await session.prompt("Oslo?"), "It rains.");
  const [{ prompt, options }, { prompt: second }] = model.calls;
  assert.match(prompt, /^\[system\].*Tells the weather.*\[user\]Oslo\?\[assistant\]$/s);
  const { anyOf } = options.constraint.jsonSchema;
  assert.deepEqual(anyOf.map(({ required }) => required), [["tool_calls"], ["response"]]);
  assert.ok(second.endsWith(`[assistant]${generic("Oslo")}[user]Result of weather: Oslo: rain[assistant]`), second);
});

test("a form of the text and tools go together", async () => {
  const answers = answering(generic("Oslo"), '{"response": {"rain": true}}');
  const { session, model } = await sessionOver(answers, { tools: [weather()] });
  const responseConstraint = { type: "object", properties: { rain: { type: "boolean" } } };
  assert.deepEqual(JSON.parse(await session.prompt("Oslo?", { responseConstraint })), { rain: true });
  const [, inWords] = model.calls[0].options.constraint.jsonSchema.anyOf;
  assert.deepEqual(inWords.properties.response, responseConstraint);
});

test("a prefix goes before words where the answer is held to a call or text", async () => {
  const { session, model } = await sessionOver(answering(' rains."}'), { tools: [weather()] });
  assert.equal(await session.prompt([user("Oslo?"), { role: "assistant", content: "It", prefix: true }]), " rains.");
  assert.ok(model.calls[0].prompt.endsWith('[assistant]{"response": "It'), model.calls[0].prompt);
  assert.equal(model.calls[0].options.constraint.prefix, '{"response": "It');
});

test("the calls and results stay in the session", async () => {
  const { session, model } = await sessionOver(native(call("Oslo"), "It rains.", "ok"), { tools: [weather()] });
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
  const answers = native(call("Oslo") + call("Rome"), "Rain in both.");
  const { session } = await sessionOver(answers, { tools: [weather(execute)] });
  assert.equal(await session.prompt("?"), "Rain in both.");
  assert.equal(most, 2);
});

test("a stream shows the text around calls and nothing of them", async () => {
  const first = ["See", ": <to", 'ol_call>{"name":"weather",', '"arguments":{"city":"Oslo"}}</tool_call>'];
  const pieces = [first, ["1 <", " 2"]];
  const { session } = await sessionOver(native(...pieces), { tools: [weather()] });
  assert.deepEqual(await readAll(session.promptStreaming("?")), ["See", ":", "\n\n", "1", " < 2"]);
});

test("thoughts are not shown, and no part of the session", async () => {
  const { session, model } = await sessionOver(native(`<think>Hm.</think>${call("Oslo")}`, "Rain.", "ok"), { tools: [weather()] });
  assert.equal(await session.prompt("?"), "Rain.");
  await session.prompt("Sure?");
  assert.ok(!model.calls[2].prompt.includes("Hm."));
});

test("what only begins like a call is shown in the end", async () => {
  const { session } = await sessionOver(native(["a <tool", "_ca"]), { tools: [weather()] });
  assert.equal(await session.prompt("?"), "a <tool_ca");
});

test("what calls nothing that there is, is text", async () => {
  for (const text of ["<tool_call>{oops</tool_call>", '<tool_call>{"name":"news"}</tool_call>']) {
    const { session } = await sessionOver(native(text), { tools: [weather()] });
    assert.equal(await session.prompt("?"), text.replace(/<\/tool_call>$/, ""));
  }
});

test("arguments that are cut are told to the model", async () => {
  const { session, model } = await sessionOver(native('<tool_call>{"name":"weather","arguments":{"ci', "Sorry."), { tools: [weather()] });
  assert.equal(await session.prompt("?"), "Sorry.");
  assert.match(model.calls[1].prompt, /error: the arguments are not JSON/);
});

test("what a tool throws rejects the prompt and leaves nothing in the session", async () => {
  const failure = new Error("no network");
  const { session } = await sessionOver(native(call("Oslo")), { tools: [weather(() => Promise.reject(failure))] });
  assert.equal(await rejection(session.prompt("?")), failure);
  assert.equal(session.contextUsage, 0);
});

test("an abort does not wait for a tool", async () => {
  const execute = () => new Promise(() => {});
  const { session } = await sessionOver(native(call("Oslo"), "second"), { tools: [weather(execute)] });
  const controller = new AbortController();
  const answer = session.prompt("?", { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  assert.equal((await rejection(answer)).name, "AbortError");
  assert.equal(await session.prompt("again"), "second");
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
