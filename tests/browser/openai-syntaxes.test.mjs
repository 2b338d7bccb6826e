// Families whose calls are no JSON in tags: recognized by their templates, read as they are written, and held where a call has
// to come. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { families, templateFacts } from "../../www/lib/syntax/families.js";
import { PlainReader, ThinkReader } from "../../www/lib/syntax/reader.js";
import { handlerFor, modelsOf } from "../../www/lib/openai/handler.js";
import { fakeModel, TemplateError } from "./fake-model.mjs";
import { ask } from "./openai-ask.mjs";
import { commandR, COMMAND_TAGS, functionary31, functionary32, glm, phi, qwenCoder } from "./openai-templates.mjs";

const refuse = (message) => {
  throw new TemplateError(message);
};
const parameters = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer" }, where: { type: "object" } },
  required: ["city"],
};
const weather = { name: "get_weather", description: "Weather of a city", parameters };
const add = { name: "add", parameters: { type: "object", properties: { a: { type: "number" } } } };
const functions = new Map([weather, add].map((tool) => [tool.name, tool]));

const FAMILIES = {
  "qwen3-coder": { template: qwenCoder },
  "glm-4.5": { template: glm },
  "phi-4-mini": { template: phi },
  "functionary-3.1": { template: functionary31(refuse) },
  "functionary-3.2": { template: functionary32(refuse) },
  "command-r7b": { template: commandR, special: COMMAND_TAGS },
};

/** Reads a text in pieces of each length; all have to give the same. */
function read(name, text, maxCalls = Infinity) {
  const family = families.find((one) => one.name === name);
  let first;
  for (const length of [text.length, 1, 2, 3, 5, 7, 11, 16]) {
    const calls = family.reader(functions, maxCalls);
    const reader = new ThinkReader(calls, false, family.thoughts);
    const seen = { text: "", thought: "", calls: [] };
    const take = (parts) => {
      for (const part of parts) {
        if (part.type === "content") seen.text += part.text;
        if (part.type === "reasoning") seen.thought += part.text;
        if (part.type === "call") seen.calls.push([part.name, ""]);
        if (part.type === "arguments") seen.calls[part.call][1] += part.text;
      }
    };
    for (let at = 0; at < text.length && !reader.over; at += length) take(reader.push(text.slice(at, at + length)));
    take(reader.end());
    first ??= seen;
    assert.deepEqual(seen, first, `in pieces of ${length}`);
  }
  return first;
}

test("each is known by its template, with and without calls in it", async () => {
  for (const [name, how] of Object.entries(FAMILIES)) {
    const { family, takesTools } = await templateFacts(fakeModel(how));
    assert.deepEqual([family?.name, takesTools], [name, true]);
  }
});

test("Qwen3-Coder: parameters in tags become JSON, by the types that the function gives them", () => {
  const text = [
    "I look.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo \"</b>\" \n\\ é😀\n</parameter>\n",
    "<parameter=days>\n3\n</parameter>\n<parameter=where>\n{\"x\": [1]}\n</parameter>\n</function>\n</tool_call>\n",
    "<tool_call>\n<function=add>\n</function>\n</tool_call>",
  ].join("");
  const { text: said, calls } = read("qwen3-coder", text);
  assert.equal(said, "I look.");
  assert.deepEqual(
    calls.map(([name, args]) => [name, JSON.parse(args)]),
    [
      ["get_weather", { city: 'Oslo "</b>" \n\\ é😀', days: 3, where: { x: [1] } }],
      ["add", {}],
    ],
  );
});

test("Qwen3-Coder: a value that is not of its type is text, and a text that looks like a number stays one", () => {
  const value = (key, text) =>
    JSON.parse(read("qwen3-coder", `<function=get_weather>\n<parameter=${key}>\n${text}\n</parameter>\n</function>`).calls[0][1])[key];
  assert.equal(value("days", "three"), "three");
  assert.equal(value("city", "12"), "12");
  assert.equal(value("other", "true"), true);
});

test("what names no function is text", () => {
  assert.equal(read("qwen3-coder", "<function=rm>\n</function> no").text, "<function=rm>\n</function> no");
  assert.equal(read("glm-4.5", "<tool_call>rm\n</tool_call>").text, "<tool_call>rm\n</tool_call>");
  assert.equal(read("functionary-3.2", "all\nNo.>>>rm\n{}").text, "No.>>>rm\n{}");
});

test("a call that is cut off is told as far as it came", () => {
  const { calls } = read("qwen3-coder", "<tool_call>\n<function=get_weather>\n<parameter=city>\nOs");
  assert.deepEqual(calls, [["get_weather", '{"city": "Os']]);
});

test("GLM-4.5: keys and values in tags", () => {
  const text =
    "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call>" +
    "\n<tool_call>add</tool_call>";
  assert.deepEqual(read("glm-4.5", text).calls, [
    ["get_weather", '{"city": "Oslo", "days": 2}'],
    ["add", "{}"],
  ]);
});

test("Phi-4-mini: a list after its tag, or after its other word", () => {
  const list = '[{"name": "get_weather", "arguments": {"city": "Oslo"}}]';
  for (const text of [`<|tool_call|>${list}<|/tool_call|>`, `functools${list}`]) {
    assert.deepEqual(read("phi-4-mini", text), { text: "", thought: "", calls: [["get_weather", '{"city": "Oslo"}']] });
  }
});

test("Functionary 3.1: arguments between tags that name the function", () => {
  const text = 'I look. <function=get_weather>{"city": "Oslo"}</function><function=add>{"a": 1}</function>';
  assert.deepEqual(read("functionary-3.1", text), {
    text: "I look.",
    thought: "",
    calls: [
      ["get_weather", '{"city": "Oslo"}'],
      ["add", '{"a": 1}'],
    ],
  });
});

test("Functionary 3.2: each message says whom it is for", () => {
  const text = 'all\nI look: 1 >> 0.\n>>>get_weather\n{"city": ">>"}\n>>>add\n{"a": 1}';
  assert.deepEqual(read("functionary-3.2", text), {
    text: "I look: 1 >> 0.",
    thought: "",
    calls: [
      ["get_weather", '{"city": ">>"}'],
      ["add", '{"a": 1}'],
    ],
  });
});

test("Command R7B: thoughts, actions and responses between tags", () => {
  const call = '[\n    {"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Oslo"}}\n]';
  assert.deepEqual(read("command-r7b", `<|START_THINKING|>I look.<|END_THINKING|><|START_ACTION|>${call}<|END_ACTION|>`), {
    text: "",
    thought: "I look.",
    calls: [["get_weather", '{"city": "Oslo"}']],
  });
  assert.equal(read("command-r7b", "<|START_RESPONSE|>It rains.<|END_RESPONSE|>").text, "It rains.");
});

test("after the last call that is allowed nothing counts", () => {
  const calls = {
    "qwen3-coder": "<function=add>\n</function>",
    "glm-4.5": "<tool_call>add\n</tool_call>",
    "functionary-3.1": "<function=add>{}</function>",
    "functionary-3.2": "add\n{}>>>",
  };
  for (const [name, text] of Object.entries(calls)) {
    assert.deepEqual(read(name, text + text + text, 1).calls, [["add", "{}"]], name);
  }
});

/** What a request comes to. */
async function chat(name, answer, body) {
  const model = fakeModel({ ...FAMILIES[name], answer });
  const handler = handlerFor(modelsOf({ m: model }));
  const tools = [weather, add].map((tool) => ({ type: "function", function: tool }));
  const given = { model: "m", messages: [{ role: "user", content: "Oslo?" }], tools, ...body };
  const { status, body: said } = await ask(handler, "chat/completions", given);
  assert.equal(status, 200, JSON.stringify(said));
  const [{ message }] = said.choices;
  const calls = (message.tool_calls ?? []).map(({ function: { name, arguments: args } }) => [name, JSON.parse(args)]);
  return { ...message, calls, prompt: model.calls[0].prompt, constraint: model.calls[0].options.constraint };
}

const WRITTEN = {
  "qwen3-coder": "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n</function>\n</tool_call>",
  "glm-4.5": "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n</tool_call>",
  "phi-4-mini": '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Oslo"}}]<|/tool_call|>',
  "functionary-3.1": '<function=get_weather>{"city": "Oslo"}</function>',
  "functionary-3.2": 'get_weather\n{"city": "Oslo"}',
  "command-r7b": '<|START_ACTION|>[{"tool_call_id": "0", "tool_name": "get_weather", "parameters": {"city": "Oslo"}}]<|END_ACTION|>',
};

test("with tools and a choice the model's own template tells of them, and its own calls are found", async () => {
  for (const [name, text] of Object.entries(WRITTEN)) {
    const { calls, prompt, constraint } = await chat(name, () => text, {});
    assert.deepEqual(calls, [["get_weather", { city: "Oslo" }]], name);
    assert.match(prompt, /get_weather/, name);
    assert.doesNotMatch(prompt, /You can call these functions/, name);
    assert.equal(constraint, undefined);
  }
});

test("a conversation with calls and results goes back in the model's own words", async () => {
  const call = { id: "a", type: "function", function: { name: "get_weather", arguments: '{"city":"Oslo"}' } };
  const messages = [
    { role: "user", content: "Oslo?" },
    { role: "assistant", content: "", tool_calls: [call] },
    { role: "tool", tool_call_id: "a", content: "It is wet." },
  ];
  for (const name of Object.keys(WRITTEN)) {
    const words = name.startsWith("functionary-3.2") ? "all\nWet." : "Wet.";
    const { content, prompt } = await chat(name, () => words, { messages });
    assert.equal(content, "Wet.", name);
    for (const part of ["get_weather", "Oslo", "It is wet."]) assert.ok(prompt.includes(part), `${name}: ${prompt}`);
  }
});

test("a call that has to come is begun, and held to the functions, in the model's own syntax", async () => {
  const ENDS = {
    "qwen3-coder": ["<tool_call>\n<function=", "add>\n<parameter=a>\n2\n</parameter>\n</function>"],
    "glm-4.5": ["<tool_call>", "add\n<arg_key>a</arg_key>\n<arg_value>2</arg_value>\n</tool_call>"],
    "phi-4-mini": ["<|tool_call|>", '[{"name": "add", "arguments": {"a": 2}}]'],
    "functionary-3.1": ["<function=add>", '{"a": 2}'],
    "functionary-3.2": [">>>add\n", '{"a": 2}'],
    "command-r7b": ["<|START_ACTION|>", '[{"tool_call_id": "0", "tool_name": "add", "parameters": {"a": 2}}]'],
  };
  const named = { tool_choice: { type: "function", function: { name: "add" } } };
  for (const [name, [begins, rest]] of Object.entries(ENDS)) {
    const { calls, prompt, constraint } = await chat(name, (_, { constraint: held }) => (held ? rest : "no"), named);
    assert.ok(prompt.endsWith(begins), `${name}: ${prompt}`);
    assert.deepEqual(calls, [["add", { a: 2 }]], name);
    assert.ok(constraint.lark || constraint.jsonSchema, name);
  }
  const { constraint } = await chat("qwen3-coder", () => "add>\n</function>", { tool_choice: "required" });
  assert.match(constraint.lark, /^start: f0 \| f1\nf0: "get_weather>\\n" p0_0 p0_1\? p0_2\? "<\/function>"\n/);
});

test("where arguments cannot be held in the model's own syntax, the general form is used", async () => {
  const tool = { name: "add", parameters: { type: "object", properties: { a: { type: "string", maxLength: 3 } } } };
  const body = { tools: [{ type: "function", function: tool }], tool_choice: "required" };
  const { calls, constraint } = await chat("qwen3-coder", () => '{"tool_calls": [{"name": "add", "arguments": {"a": "x"}}]}', body);
  assert.deepEqual(calls, [["add", { a: "x" }]]);
  assert.ok(constraint.jsonSchema);
});

test("where every answer says what it is, words are read so without tools too, and what is held to JSON begins as words do", async () => {
  const plain = await chat("functionary-3.2", () => "all\nHello.", { tools: undefined });
  assert.equal(plain.content, "Hello.");
  const held = await chat("command-r7b", () => "{}", { tools: undefined, response_format: { type: "json_object" } });
  assert.ok(held.prompt.endsWith("<|START_RESPONSE|>"), held.prompt);
  assert.equal(held.content, "{}");
});

test("a reader of thoughts takes other tags", () => {
  const reader = new ThinkReader(new PlainReader(), false, ["<|A|>", "<|B|>"]);
  assert.deepEqual([...reader.push("<|A|>Hm.<|B|>Yes."), ...reader.end()], [
    { type: "reasoning", text: "Hm." },
    { type: "content", text: "Yes." },
  ]);
});
