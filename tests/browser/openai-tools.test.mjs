// Tools on models of every family and on those of none, with answers written by the test. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { handlerFor, modelsOf } from "../../www/lib/openai/handler.js";
import { HARMONY_TAGS } from "../../www/lib/syntax/harmony.js";
import { fakeModel, plainTemplate, TemplateError } from "./fake-model.mjs";
import { ask } from "./openai-ask.mjs";
import { deepseek, harmony, hermes, llama, mistral } from "./openai-templates.mjs";

const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const weather = { type: "function", function: { name: "get_weather", description: "Weather of a city", parameters } };
const add = {
  type: "function",
  function: { name: "add", parameters: { type: "object", properties: { a: { type: "number" } } } },
};
const messages = [{ role: "user", content: "Weather in Oslo?" }];

const refuse = (message) => {
  throw new TemplateError(message);
};

/** Asks a fake model, at once and in parts; both have to come to the same. */
async function chat(how, body) {
  const model = fakeModel(how);
  const handler = handlerFor(modelsOf({ m: model }));
  const given = { model: "m", messages, ...body };
  const whole = await ask(handler, "chat/completions", given);
  assert.equal(whole.status, 200, JSON.stringify(whole.body));
  const { body: chunks } = await ask(handler, "chat/completions", { ...given, stream: true });
  const [choice] = whole.body.choices;
  assert.deepEqual(withoutIds(assembled(chunks)), withoutIds({ ...choice.message, finish: choice.finish_reason }));
  return { choice, ...choice.message, chunks, prompt: model.calls[0].prompt, options: model.calls[0].options };
}

/** The message that chunks come to. */
function assembled(chunks) {
  const message = { role: "", content: null, refusal: null };
  for (const { choices } of chunks.filter((chunk) => chunk !== "[DONE]")) {
    const [{ delta, finish_reason: finish }] = choices;
    message.role += delta.role ?? "";
    if (delta.content) message.content = (message.content ?? "") + delta.content;
    if (delta.reasoning_content)
      message.reasoning_content = (message.reasoning_content ?? "") + delta.reasoning_content;
    for (const { index, ...call } of delta.tool_calls ?? []) {
      message.tool_calls ??= [];
      if (call.id) message.tool_calls[index] = structuredClone(call);
      else message.tool_calls[index].function.arguments += call.function.arguments;
    }
    if (finish) message.finish = finish;
  }
  if (message.content === null && !message.tool_calls) message.content = "";
  return message;
}

function withoutIds(message) {
  return {
    ...message,
    ...(message.tool_calls ? { tool_calls: message.tool_calls.map(({ id: _id, ...call }) => call) } : {}),
  };
}

const called = ({ tool_calls: calls }) => calls?.map(({ function: { name, arguments: args } }) => [name, args]);

test("a template that takes tools tells the model of them, and what it then calls is parsed", async () => {
  const answer = () =>
    'I look.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}}\n</tool_call>\n<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>';
  const said = await chat({ template: hermes, answer }, { tools: [weather, add] });
  assert.match(said.prompt, /"get_weather"/);
  assert.equal(said.options.constraint, undefined);
  assert.equal(said.content, "I look.");
  assert.deepEqual(called(said), [
    ["get_weather", '{"city": "Oslo"}'],
    ["add", '{"a": 1}'],
  ]);
  assert.equal(said.choice.finish_reason, "tool_calls");
  assert.match(said.tool_calls[0].id, /^call_[0-9a-f]{24}$/);
});

test("arguments are streamed as they are written, after the name", async () => {
  const answer = () =>
    '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo, in the far north"}}\n</tool_call>';
  const { chunks } = await chat({ template: hermes, answer }, { tools: [weather] });
  const deltas = chunks.flatMap((chunk) => chunk.choices?.[0].delta.tool_calls ?? []);
  assert.deepEqual(deltas[0].function, { name: "get_weather", arguments: "" });
  assert.ok(deltas.length > 8, `${deltas.length} deltas`);
});

test("tags that are special tokens, and so no text, are read by their ids", async () => {
  const special = ["[TOOL_CALLS]"];
  const answer = () => '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Oslo"}}]';
  const said = await chat({ template: mistral(refuse), special, answer }, { tools: [weather] });
  assert.deepEqual(called(said), [["get_weather", '{"city": "Oslo"}']]);
  assert.match(said.tool_calls[0].id, /^[0-9a-f]{9}$/);
});

test("Mistral's ids of nine letters are made of any others", async () => {
  const tool_calls = [
    { id: "call_0123456789abcdef", type: "function", function: { name: "get_weather", arguments: '{"city":"Oslo"}' } },
  ];
  const history = [
    ...messages,
    { role: "assistant", content: null, tool_calls },
    { role: "tool", tool_call_id: "call_0123456789abcdef", content: "Rain" },
  ];
  const said = await chat(
    { template: mistral(refuse), answer: () => "It rains." },
    { messages: history, tools: [weather] },
  );
  assert.match(said.prompt, /"arguments":\{"city":"Oslo"\},"id":"[\dA-Za-z]{9}"/);
  assert.equal(said.content, "It rains.");
});

test("Llama's bare JSON is a call", async () => {
  const said = await chat(
    { template: llama, answer: () => '{"name": "get_weather", "parameters": {"city": "Oslo"}}' },
    { tools: [weather] },
  );
  assert.match(said.prompt, /function name/);
  assert.equal(said.content, null);
  assert.deepEqual(called(said), [["get_weather", '{"city": "Oslo"}']]);
});

test("DeepSeek thinks first, as its prompt has begun to", async () => {
  const answer = () =>
    'The user asks.\n</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{"city": "Oslo"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>';
  const said = await chat({ template: deepseek, answer }, { tools: [weather] });
  assert.equal(said.reasoning_content, "The user asks.");
  assert.deepEqual(called(said), [["get_weather", '{"city": "Oslo"}']]);
});

test("gpt-oss writes in channels", async () => {
  const how = { template: harmony, special: HARMONY_TAGS };
  const answer = () =>
    '<|channel|>analysis<|message|>I need it.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>{"city": "Oslo"}<|call|>';
  const said = await chat({ ...how, answer }, { tools: [weather] });
  assert.equal(said.reasoning_content, "I need it.");
  assert.deepEqual(called(said), [["get_weather", '{"city": "Oslo"}']]);
  const plain = await chat({ ...how, answer: () => "<|channel|>final<|message|>Hello.<|return|>" }, {});
  assert.equal(plain.content, "Hello.");
});

test("a template that knows no tools: the model is told in words and held to JSON", async () => {
  const answer = (_prompt, { constraint }) =>
    constraint ? '{"tool_calls":[{"name":"get_weather","arguments":{"city":"Oslo"}}]}' : "no constraint";
  const said = await chat({ answer }, { tools: [weather, add] });
  assert.match(said.prompt, /<system>You can call these functions:\n\{"name":"get_weather"/);
  assert.deepEqual(called(said), [["get_weather", '{"city":"Oslo"}']]);
  const { anyOf } = said.options.constraint.jsonSchema;
  assert.deepEqual(anyOf[0].properties.tool_calls.items.anyOf[0], {
    type: "object",
    properties: { name: { const: "get_weather" }, arguments: parameters },
    required: ["name", "arguments"],
    additionalProperties: false,
  });
  assert.deepEqual(anyOf[1].properties, { response: { type: "string" } });
  const words = await chat({ answer: () => '{"response": "I do not know."}' }, { tools: [weather] });
  assert.equal(words.content, "I do not know.");
  assert.equal(words.choice.finish_reason, "stop");
});

test("a model without a chat template can call too", async () => {
  const said = await chat(
    { template: null, answer: () => ' {"tool_calls":[{"name":"get_weather","arguments":{}}]}' },
    { tools: [weather] },
  );
  assert.match(said.prompt, /^You can call these functions:[^]*\n\nUser: Weather in Oslo\?\nAssistant:$/);
  assert.deepEqual(called(said), [["get_weather", "{}"]]);
});

test("earlier calls and their results are told in words where the template knows none", async () => {
  const tool_calls = ["a", "b"].map((id) => ({
    id,
    type: "function",
    function: { name: "get_weather", arguments: `{"city":"${id}"}` },
  }));
  const results = ["a", "b"].map((id) => ({ role: "tool", tool_call_id: id, content: `${id} is wet` }));
  const history = [...messages, { role: "assistant", content: "", tool_calls }, ...results];
  const said = await chat({ answer: () => '{"response": "Wet."}' }, { messages: history, tools: [weather] });
  assert.match(said.prompt, /<assistant>\{"tool_calls":\[\{"name":"get_weather","arguments":\{"city":"a"\}\},/);
  assert.match(said.prompt, /<user>Result of get_weather: a is wet\nResult of get_weather: b is wet<\/user>/);
});

test("a template that refuses the system has our words in what the user says", async () => {
  const template = (list, variables) =>
    list[0].role === "system" ? refuse("no system") : plainTemplate(list, variables);
  const said = await chat({ template, answer: () => '{"response": "Hi."}' }, { tools: [weather] });
  assert.match(said.prompt, /^<user>You can call[^]*Weather in Oslo\?<\/user>/);
});

test("tool_choice none: the model hears of no tools", async () => {
  const said = await chat(
    { template: hermes, answer: () => "<tool_call> is a tag." },
    { tools: [weather], tool_choice: "none" },
  );
  assert.doesNotMatch(said.prompt, /get_weather/);
  assert.equal(said.content, "<tool_call> is a tag.");
});

test("tool_choice required: a call in the family's form is begun, and held to the functions", async () => {
  const answer = (_prompt, { constraint }) => (constraint ? '{"name":"add","arguments":{"a":2}}' : "no");
  const said = await chat({ template: hermes, answer }, { tools: [weather, add], tool_choice: "required" });
  assert.ok(said.prompt.endsWith("<|im_start|>assistant\n<tool_call>\n"), said.prompt);
  assert.deepEqual(
    said.options.constraint.jsonSchema.anyOf.map(({ properties: { name } }) => name.const),
    ["get_weather", "add"],
  );
  assert.deepEqual(called(said), [["add", '{"a":2}']]);
  assert.equal(said.choice.finish_reason, "tool_calls");
});

test("tool_choice required where a name is no part of the JSON: the general form, past the thoughts", async () => {
  const choice = { tools: [weather, add], tool_choice: "required" };
  for (const [how, begins] of [
    [{ template: deepseek }, "<think>\n\n</think>\n\n"],
    [{ template: harmony, special: HARMONY_TAGS }, "<|start|>assistant<|channel|>final<|message|>"],
  ]) {
    const answer = () => '{"tool_calls":[{"name":"add","arguments":{"a":2}}]}';
    const said = await chat({ ...how, answer }, choice);
    assert.ok(said.prompt.endsWith(begins), said.prompt);
    assert.match(said.prompt, /You can call these functions/);
    assert.deepEqual(called(said), [["add", '{"a":2}']]);
  }
});

test("tool_choice with a name: that function alone, on every family", async () => {
  const choice = { tools: [weather, add], tool_choice: { type: "function", function: { name: "add" } } };
  const one = '{"name":"add","arguments":{"a":2}}';
  for (const [how, text, begins] of [
    [{ template: hermes }, one, "<tool_call>\n"],
    [{ template: llama }, '{"name":"add","parameters":{"a":2}}', "<|end_header_id|>"],
    [{ template: mistral(refuse), special: ["[TOOL_CALLS]"] }, `[${one}]`, "[TOOL_CALLS]"],
    [
      { template: deepseek },
      '{"a":2}',
      "<think>\n\n</think>\n\n<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n",
    ],
    [
      { template: harmony, special: HARMONY_TAGS },
      '{"a":2}',
      "<|channel|>commentary to=functions.add <|constrain|>json<|message|>",
    ],
    [{ template: plainTemplate }, `{"tool_calls":[${one}]}`, "<assistant>"],
    [{ template: null }, `{"tool_calls":[${one}]}`, "Assistant:"],
  ]) {
    const said = await chat({ ...how, answer: () => text }, choice);
    assert.ok(said.prompt.endsWith(begins), said.prompt);
    assert.deepEqual(called(said), [["add", '{"a":2}']], begins);
    const schema = JSON.stringify(said.options.constraint.jsonSchema);
    assert.ok(schema.includes('"a":{"type":"number"}') && !schema.includes("get_weather"), schema);
  }
});

test("parallel_tool_calls false: one call, and the model is stopped after it", async () => {
  const one = '<tool_call>{"name": "add", "arguments": {}}</tool_call>';
  const model = fakeModel({ template: hermes, answer: () => one + one + "and more" });
  const handler = handlerFor(modelsOf({ m: model }));
  const { body } = await ask(handler, "chat/completions", {
    model: "m",
    messages,
    tools: [add],
    parallel_tool_calls: false,
  });
  assert.deepEqual(called(body.choices[0].message), [["add", "{}"]]);
  assert.equal(body.choices[0].finish_reason, "tool_calls");
  assert.ok(body.usage.completion_tokens < one.length, String(body.usage.completion_tokens));
  const forced = await chat(
    { answer: () => '{"tool_calls":[{"name":"add","arguments":{}}]}' },
    { tools: [add], parallel_tool_calls: false },
  );
  assert.equal(forced.options.constraint.jsonSchema.anyOf[0].properties.tool_calls.maxItems, 1);
});

test("a strict function holds the answer to its schema, also where the template knows tools", async () => {
  const strict = { type: "function", function: { ...weather.function, strict: true } };
  const said = await chat({ template: hermes, answer: () => '{"response": "Hm."}' }, { tools: [strict] });
  assert.deepEqual(
    said.options.constraint.jsonSchema.anyOf[0].properties.tool_calls.items.properties.arguments,
    parameters,
  );
  assert.equal(said.content, "Hm.");
});

test("tools and a format of the text together", async () => {
  const schema = {
    type: "object",
    properties: { rain: { type: "boolean" } },
    required: ["rain"],
    additionalProperties: false,
  };
  const response_format = { type: "json_schema", json_schema: { name: "rain", schema, strict: true } };
  const said = await chat(
    { template: hermes, answer: () => '{"response": {"rain": true}}' },
    { tools: [weather], response_format },
  );
  assert.deepEqual(said.options.constraint.jsonSchema.anyOf[1].properties.response, schema);
  assert.equal(said.content, '{"rain": true}');
});

test("a call that the limit cuts off ends with length", async () => {
  const answer = () => '<tool_call>{"name": "get_weather", "arguments": {"city": "Oslo"}}</tool_call>';
  const said = await chat({ template: hermes, answer, lengths: [1] }, { tools: [weather], max_completion_tokens: 55 });
  assert.deepEqual(called(said), [["get_weather", '{"city"']]);
  assert.equal(said.choice.finish_reason, "length");
});

test("the thoughts that led to a call go back to the model with it", async () => {
  const tool_calls = [{ id: "a", type: "function", function: { name: "get_weather", arguments: "{}" } }];
  const history = [
    ...messages,
    { role: "assistant", content: null, reasoning_content: "I need it.", tool_calls },
    { role: "tool", tool_call_id: "a", content: "Rain" },
  ];
  const qwen = await chat({ template: hermes, answer: () => "Rain." }, { messages: history, tools: [weather] });
  assert.match(qwen.prompt, /<think>\nI need it\.\n<\/think>/);
  const oss = await chat(
    { template: harmony, special: HARMONY_TAGS, answer: () => "<|channel|>final<|message|>Rain." },
    { messages: history, tools: [weather] },
  );
  assert.match(oss.prompt, /I need it\.<\|start\|>assistant to=functions\.get_weather/);
});

test("arguments are given as text where the template wants them so", async () => {
  const template = (list, variables) => {
    for (const { tool_calls: calls = [] } of list)
      for (const {
        function: { arguments: args },
      } of calls)
        if (typeof args !== "string") refuse("no text");
    return hermes(list, variables);
  };
  const tool_calls = [{ id: "a", type: "function", function: { name: "get_weather", arguments: '{"city": "Oslo"}' } }];
  // The template is seen to take tools only with text, so it is asked without them.
  const history = [
    ...messages,
    { role: "assistant", content: null, tool_calls },
    { role: "tool", tool_call_id: "a", content: "Rain" },
  ];
  const said = await chat({ template, answer: () => "Rain." }, { messages: history });
  assert.match(said.prompt, /Oslo/);
});

test("references in a function's schema lead where they led, though it is a part of a larger one", async () => {
  const tree = {
    type: "object",
    properties: { root: { $ref: "#/$defs/node" } },
    $defs: { node: { type: "object", properties: { left: { $ref: "#/$defs/node" }, up: { $ref: "#" } } } },
  };
  const plant = { type: "function", function: { name: "plant", parameters: tree } };
  const answer = () => '{"tool_calls":[{"name":"plant","arguments":{}}]}';
  const { options } = await chat({ answer }, { tools: [weather, plant] });
  const { anyOf, $defs } = options.constraint.jsonSchema;
  const [, call] = anyOf[0].properties.tool_calls.items.anyOf;
  assert.deepEqual(call.properties.arguments, { $ref: "#/$defs/part0" });
  assert.deepEqual($defs.part0.properties.root, { $ref: "#/$defs/part0/$defs/node" });
  assert.deepEqual($defs.part0.$defs.node.properties, {
    left: { $ref: "#/$defs/part0/$defs/node" },
    up: { $ref: "#/$defs/part0" },
  });
});
