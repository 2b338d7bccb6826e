// What requests of OpenAI's API ask for reaches the model, and what is not supported is refused by its name. Needs no browser.
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { ContextFullError, InputError, OutOfMemoryError, UnloadedError, UnsupportedError } from "../../www/lib/errors.js";
import { handlerFor, modelsOf } from "../../www/lib/openai/handler.js";
import { ask, fakeModel, TemplateError } from "./fake-model.mjs";
import { harmony, hermes } from "./openai-templates.mjs";

const messages = [{ role: "user", content: "Hi" }];

function serving(how, options) {
  const model = fakeModel(how);
  return { model, handler: handlerFor(modelsOf({ m: model }), options) };
}

/** The options that the model was called with. */
async function optionsOf(path, body, how) {
  const { model, handler } = serving(how);
  const { status, body: answer } = await ask(handler, path, { model: "m", ...body });
  assert.equal(status, 200, JSON.stringify(answer));
  return model.calls[0].options;
}

/** The error that a body is refused with. */
async function errorOf(path, body, how) {
  const { model, handler } = serving(how);
  const { status, body: answer } = await ask(handler, path, { model: "m", ...body });
  assert.equal(model.calls.length, 0, `${JSON.stringify(body)} was not refused`);
  return { status, ...answer.error };
}

/** A parameter, its value, and the option of the model that it sets. */
const SAMPLING = [
  ["temperature", 0.5, "temperature", 0.5],
  ["top_p", 0.9, "topP", 0.9],
  ["top_k", 5, "topK", 5],
  ["min_p", 0.1, "minP", 0.1],
  ["frequency_penalty", 1, "frequencyPenalty", 1],
  ["presence_penalty", -1, "presencePenalty", -1],
  ["repetition_penalty", 1.1, "repetitionPenalty", 1.1],
  ["logit_bias", { 5: -100 }, "logitBias", { 5: -100 }],
  ["seed", 7, "seed", 7],
  ["stop", "x", "stop", ["x"]],
  ["stop", ["x", "y"], "stop", ["x", "y"]],
  ["min_tokens", 2, "minNewTokens", 2],
  ["ignore_eos", true, "ignoreEos", true],
];

const ENDPOINTS = [
  ["chat/completions", { messages }, ["max_tokens", "max_completion_tokens"]],
  ["completions", { prompt: "Hi" }, ["max_tokens"]],
  ["responses", { input: "Hi" }, ["max_output_tokens"]],
];

for (const [path, base, limits] of ENDPOINTS) {
  test(`${path}: every parameter of sampling sets the model's option`, async () => {
    for (const [name, value, option, expected] of SAMPLING) {
      assert.deepEqual((await optionsOf(path, { ...base, [name]: value }))[option], expected, name);
    }
    for (const limit of limits) assert.equal((await optionsOf(path, { ...base, [limit]: 3 })).maxNewTokens, 3, limit);
    const plain = await optionsOf(path, { ...base, temperature: null });
    assert.deepEqual(Object.keys(plain).filter((name) => !["signal", "stop", "maxNewTokens"].includes(name)), [], "null is left out");
  });

  test(`${path}: a value out of range is refused by its name`, async () => {
    const wrong = { temperature: 2.1, top_p: 0, top_k: 1.5, min_p: -1, frequency_penalty: 3, presence_penalty: "1", repetition_penalty: 0, seed: -1, stop: [""], min_tokens: -1, ignore_eos: 1, [limits[0]]: 0, stream: "yes", model: 1 };
    for (const [name, value] of Object.entries(wrong)) {
      const { status, type, param, code, message } = await errorOf(path, { ...base, [name]: value });
      assert.deepEqual([status, type, param, code], [400, "invalid_request_error", name, "invalid_value"]);
      assert.match(message, /expected/);
    }
    for (const [bias, param] of [[{ a: 1 }, "logit_bias.a"], [{ 1: 101 }, "logit_bias.1"], [[1], "logit_bias"]]) {
      assert.equal((await errorOf(path, { ...base, logit_bias: bias })).param, param);
    }
  });

  test(`${path}: an unknown name, a missing one and a body that is no JSON`, async () => {
    assert.deepEqual(pick(await errorOf(path, { ...base, temprature: 1 })), [400, "temprature", "unknown_parameter"]);
    assert.deepEqual(pick(await errorOf(path, { ...base, model: undefined })), [400, "model", "missing_required_parameter"]);
    const [needed] = Object.keys(base);
    assert.deepEqual(pick(await errorOf(path, { [needed]: undefined })), [400, needed, "missing_required_parameter"]);
    const { handler } = serving();
    const response = await handler(`http://intab/v1/${path}`, { method: "POST", body: "{" });
    assert.equal(response.status, 400);
    assert.equal((await response.json()).error.code, "invalid_json");
  });
}

const pick = ({ status, param, code }) => [status, param, code];

/** Parameters that the APIs have, and this one does not support. */
const REFUSED = [
  ["chat/completions", { messages }, ["audio", "function_call", "functions", "metadata", "moderation", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "user", "verbosity", "web_search_options"]],
  ["completions", { prompt: "Hi" }, ["best_of", "suffix", "user"]],
  ["embeddings", { input: "Hi" }, ["user"]],
  ["rerank", { query: "q", documents: ["d"] }, ["max_tokens_per_doc", "max_chunks_per_doc", "rank_fields", "priority", "user"]],
  ["responses", { input: "Hi" }, ["background", "context_management", "conversation", "max_tool_calls", "moderation", "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "user", "verbosity"]],
];

test("what is not supported is refused by its name, not left out", async () => {
  for (const [path, base, names] of REFUSED) {
    for (const name of names) assert.deepEqual(pick(await errorOf(path, { ...base, [name]: "x" })), [400, name, "unsupported_parameter"]);
  }
});

test("parts of parameters that are not supported are named", async () => {
  const chat = [
    [{ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] }, "messages[0].content[0].type"],
    [{ messages: [{ role: "function", name: "f", content: "x" }] }, "messages[0].role"],
    [{ messages: [{ role: "user", content: "x", cache: 1 }] }, "messages[0].cache"],
    [{ messages: [{ role: "assistant", content: "x", audio: { id: "a" } }] }, "messages[0].audio"],
    [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].tool_call_id"],
    [{ messages: [{ role: "assistant", tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{" } }] }] }, "messages[0].tool_calls[0].function.arguments"],
    [{ messages, tools: [{ type: "custom", custom: { name: "f" } }] }, "tools[0].type"],
    [{ messages, tools: [{ type: "function", function: { name: "f f" } }] }, "tools[0].function.name"],
    [{ messages, tools: [1, 2].map(() => ({ type: "function", function: { name: "f" } })) }, "tools"],
    [{ messages, tool_choice: "required" }, "tool_choice"],
    [{ messages, parallel_tool_calls: true }, "parallel_tool_calls"],
    [{ messages, tools: [{ type: "function", function: { name: "f" } }], tool_choice: { type: "function", function: { name: "g" } } }, "tool_choice"],
    [{ messages, tools: [{ type: "function", function: { name: "f" } }], tool_choice: { type: "custom" } }, "tool_choice.type"],
    [{ messages, response_format: { type: "xml" } }, "response_format.type"],
    [{ messages, response_format: { type: "json_schema", json_schema: { name: "a" } } }, "response_format.json_schema.schema"],
    [{ messages, top_logprobs: 2 }, "top_logprobs"],
    [{ messages, stream_options: { include_usage: true } }, "stream_options"],
    [{ messages, stream: true, stream_options: { include_obfuscation: true } }, "stream_options.include_obfuscation"],
    [{ messages, store: true }, "store"],
    [{ messages, modalities: ["audio"] }, "modalities"],
    [{ messages, service_tier: "flex" }, "service_tier"],
    [{ messages, max_tokens: 1, max_completion_tokens: 2 }, "max_tokens"],
    [{ messages, n: 0 }, "n"],
    [{ messages: "Hi" }, "messages"],
  ];
  for (const [body, param] of chat) assert.equal((await errorOf("chat/completions", body)).param, param);
  const responses = [
    [{ input: [{ type: "web_search_call", id: "w" }] }, "input[0].type"],
    [{ input: [{ type: "item_reference", id: "w" }] }, "input[0].type"],
    [{ input: "x", tools: [{ type: "web_search" }] }, "tools[0].type"],
    [{ input: "x", include: ["reasoning.encrypted_content"] }, "include"],
    [{ input: "x", truncation: "auto" }, "truncation"],
    [{ input: "x", reasoning: { summary: "auto" } }, "reasoning.summary"],
    [{ input: "x", text: { verbosity: "low" } }, "text.verbosity"],
    [{ input: "x", top_logprobs: 1 }, "top_logprobs"],
    [{ input: "x", previous_response_id: "resp_none" }, "previous_response_id"],
    [{ input: [] }, "input"],
  ];
  for (const [body, param] of responses) assert.equal((await errorOf("responses", body)).param, param);
  assert.equal((await errorOf("completions", { prompt: "x", echo: true, logprobs: 1 })).param, "logprobs");
  assert.equal((await errorOf("completions", { prompt: [] })).param, "prompt");
  assert.equal((await errorOf("completions", { prompt: [[-1]] })).param, "prompt[0]");
});

test("a schema that is strict has to be as OpenAI demands, and any schema holds the answer", async () => {
  const format = (schema, strict) => ({ messages, response_format: { type: "json_schema", json_schema: { name: "a", schema, strict } } });
  const open = { type: "object", properties: { a: { type: "object", properties: { b: {} } } } };
  const at = "response_format.json_schema.schema";
  assert.equal((await errorOf("chat/completions", format(open, true))).param, `${at}.additionalProperties`);
  const closed = { ...open, additionalProperties: false };
  assert.equal((await errorOf("chat/completions", format(closed, true))).param, `${at}.required`);
  assert.equal((await errorOf("chat/completions", format({ ...closed, required: ["a"] }, true))).param, `${at}.properties.a.additionalProperties`);
  assert.deepEqual((await optionsOf("chat/completions", format(open, false))).constraint, { jsonSchema: open });
  assert.deepEqual((await optionsOf("chat/completions", { messages, response_format: { type: "json_object" } })).constraint, { jsonSchema: { type: "object" } });
  assert.equal((await optionsOf("chat/completions", { messages, response_format: { type: "text" } })).constraint, undefined);
  assert.deepEqual((await optionsOf("responses", { input: "x", text: { format: { type: "json_schema", name: "a", schema: open } } })).constraint, { jsonSchema: open });
});

test("a word on the format reaches the model", async () => {
  const { model, handler } = serving();
  const json_schema = { name: "pet", description: "A pet of the user", schema: {} };
  await ask(handler, "chat/completions", { model: "m", messages, response_format: { type: "json_schema", json_schema } });
  assert.match(model.calls[0].prompt, /<system>The answer is JSON\. pet: A pet of the user<\/system>/);
});

test("what is held to JSON begins after the thoughts, and on gpt-oss in its last channel", async () => {
  const thinks = (list, variables) => hermes(list, variables) + (variables.add_generation_prompt === false ? "" : "<think>\n");
  for (const [template, end] of [[thinks, "<think>\n\n</think>\n\n"], [harmony, "<|start|>assistant<|channel|>final<|message|>"]]) {
    const { model, handler } = serving({ template, answer: () => "{}" });
    const { body } = await ask(handler, "chat/completions", { model: "m", messages, response_format: { type: "json_object" } });
    assert.ok(model.calls[0].prompt.endsWith(end), model.calls[0].prompt);
    assert.equal(body.choices[0].message.content, "{}");
  }
});

test("a parameter of the template reaches it, and one that none of it reads is refused", async () => {
  const { model, handler } = serving({ template: hermes });
  const kwargs = { chat_template_kwargs: { enable_thinking: false } };
  await ask(handler, "chat/completions", { model: "m", messages, ...kwargs });
  await ask(handler, "chat/completions", { model: "m", messages, reasoning_effort: "none" });
  await ask(handler, "responses", { model: "m", input: "Hi", reasoning: { effort: "none" } });
  for (const { prompt } of model.calls) assert.match(prompt, /<think>\n\n<\/think>\n\n$/);
  const oss = serving({ template: harmony });
  await ask(oss.handler, "chat/completions", { model: "m", messages, reasoning_effort: "high" });
  assert.match(oss.model.calls[0].prompt, /Reasoning: high/);
  assert.deepEqual(pick(await errorOf("chat/completions", { messages, reasoning_effort: "low" })), [400, "reasoning_effort", "unsupported_parameter"]);
  assert.equal((await errorOf("chat/completions", { messages, ...kwargs }, { template: null })).param, "chat_template_kwargs");
});

test("choices have seeds of their own, and the prompt counts once", async () => {
  const { model, handler } = serving({ answer: (_prompt, { seed }) => `seed ${seed}` });
  const { body } = await ask(handler, "chat/completions", { model: "m", messages, n: 3, seed: 5 });
  assert.deepEqual(body.choices.map(({ index, message }) => [index, message.content]), [[0, "seed 5"], [1, "seed 6"], [2, "seed 7"]]);
  assert.equal(body.usage.prompt_tokens, model.calls[0].prompt.length);
  assert.equal(body.usage.total_tokens, body.usage.prompt_tokens + body.usage.completion_tokens);
});

test("logprobs of each token, streamed as they are", async () => {
  const { model, handler } = serving();
  const given = { model: "m", messages, logprobs: true, top_logprobs: 2 };
  const { body } = await ask(handler, "chat/completions", given);
  assert.equal(model.calls[0].options.logprobs, 2);
  const { content } = body.choices[0].logprobs;
  assert.equal(content.map(({ token }) => token).join(""), "Hello!");
  assert.deepEqual(content[0], { token: "H", logprob: -0.25, bytes: [72], top_logprobs: [{ token: "H", logprob: -0.25, bytes: [72] }, { token: "H1", logprob: -1.25, bytes: [72, 49] }] });
  const { body: chunks } = await ask(handler, "chat/completions", { ...given, stream: true });
  assert.deepEqual(chunks.flatMap((chunk) => chunk.choices?.[0].logprobs?.content ?? []), content);
  const { body: none } = await ask(handler, "chat/completions", { model: "m", messages });
  assert.equal(none.choices[0].logprobs, null);
});

test("completions: texts, tokens, echo, the old logprobs", async () => {
  const { model, handler } = serving({ answer: (prompt) => ` after ${prompt}` });
  const { body } = await ask(handler, "completions", { model: "m", prompt: ["a", [98]], echo: true, n: 2, max_tokens: 50 });
  assert.deepEqual(body.choices.map(({ index, text }) => [index, text]), [[0, "a after a"], [1, "a after a"], [2, "b after b"], [3, "b after b"]]);
  assert.equal(body.usage.prompt_tokens, 2);
  const { body: scored } = await ask(handler, "completions", { model: "m", prompt: "a", logprobs: 2 });
  const { tokens, token_logprobs, top_logprobs, text_offset } = scored.choices[0].logprobs;
  assert.equal(tokens.join(""), " after a");
  assert.equal(token_logprobs[0], -0.25);
  assert.deepEqual(top_logprobs[0], { " ": -0.25, " 1": -1.25 });
  assert.deepEqual(text_offset.slice(0, 3), [0, 1, 4]);
  assert.equal(model.calls.at(-1).options.maxNewTokens, 16);
});

test("streams tell their usage where it is asked for, and end with [DONE]", async () => {
  for (const [path, base] of ENDPOINTS.slice(0, 2)) {
    const { handler } = serving();
    const given = { model: "m", ...base, stream: true };
    const { body: without } = await ask(handler, path, given);
    assert.ok(without.every((chunk) => chunk.usage === undefined));
    const { body: chunks, headers } = await ask(handler, path, { ...given, stream_options: { include_usage: true } });
    assert.equal(chunks.at(-1), "[DONE]");
    assert.deepEqual(chunks.at(-2).choices, []);
    const { body: whole } = await ask(handler, path, { model: "m", ...base });
    assert.deepEqual(chunks.at(-2).usage, whole.usage);
    assert.equal(headers.get("X-Intab-Served-By"), "device");
  }
});

test("embeddings: numbers or base64, of texts or tokens, cut to dimensions", async () => {
  const { handler } = serving();
  const embed = async (body) => (await ask(handler, "embeddings", { model: "m", ...body })).body;
  const { data, usage } = await embed({ input: ["abc", "de"] });
  assert.deepEqual(data.map(({ index, embedding }) => [index, embedding.length]), [[0, 4], [1, 4]]);
  assert.deepEqual(usage, { prompt_tokens: 5, total_tokens: 5 });
  const [{ embedding: coded }] = (await embed({ input: "abc", encoding_format: "base64" })).data;
  assert.deepEqual([...new Float32Array(Uint8Array.from(Buffer.from(coded, "base64")).buffer)], data[0].embedding);
  assert.deepEqual((await embed({ input: [97, 98, 99] })).data[0], data[0]);
  assert.equal((await embed({ input: "abc", dimensions: 2 })).data[0].embedding.length, 2);
  assert.equal((await embed({ input: ["a", ""] })).error.param, "input[1]");
});

test("token ids that no text has are not taken for another text", async () => {
  const { handler } = serving({ special: ["<s>"] });
  const { body } = await ask(handler, "embeddings", { model: "m", input: [[97], [0x110000, 97]] });
  assert.deepEqual([body.error.param, body.error.code], ["input[1]", "invalid_value"]);
});

test("rerank: best first, by the cosine or by a cross-encoder's score", async () => {
  const documents = ["zzz", "query", { text: "quer" }];
  for (const task of ["embed", "classify"]) {
    const { handler } = serving({ info: { task } });
    const { body } = await ask(handler, "rerank", { model: "m", query: "query", documents });
    assert.equal(body.results[0].index, 1);
    assert.equal(body.results.length, 3);
    const scores = body.results.map(({ relevance_score: score }) => score);
    assert.deepEqual(scores, [...scores].sort((a, b) => b - a));
    assert.ok(Math.abs(scores[0] - (task === "embed" ? 1 : 1 / (1 + Math.exp(-2)))) < 1e-6, String(scores[0]));
    assert.equal(body.results[0].document, undefined);
    const { body: top } = await ask(handler, "rerank", { model: "m", query: "query", documents, top_n: 1, return_documents: true });
    assert.deepEqual(top.results, [{ ...body.results[0], document: { text: "query" } }]);
    assert.equal(top.usage.total_tokens, 17);
  }
  assert.equal((await errorOf("rerank", { query: "q", documents: [] })).param, "documents");
});

test("responses: a conversation goes on from what was kept, with its calls and thoughts", async () => {
  const answers = ['<think>Hm.</think>I ask.<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>', "It is 2."];
  const { model, handler } = serving({ template: hermes, answer: () => answers[model.calls.length - 1] });
  const tools = [{ type: "function", name: "add", parameters: { type: "object" } }];
  const { body: first } = await ask(handler, "responses", { model: "m", input: "1 + 1?", instructions: "Be brief.", tools });
  assert.deepEqual(first.output.map(({ type }) => type), ["reasoning", "message", "function_call"]);
  const [, , { call_id, name, arguments: args }] = first.output;
  assert.deepEqual([name, args], ["add", '{"a": 1}']);
  const output = [{ type: "function_call_output", call_id, output: "2" }];
  const { body: second } = await ask(handler, "responses", { model: "m", input: output, tools, previous_response_id: first.id });
  assert.equal(second.output_text, "It is 2.");
  const { prompt } = model.calls[1];
  assert.match(prompt, /1 \+ 1\?[^]*<think>\nHm\.\n<\/think>\nI ask\.\n<tool_call>\n\{"name":"add","arguments":\{"a":1\}\}[^]*tool\n2/);
  assert.doesNotMatch(prompt, /Be brief/, "instructions are of one request");
  assert.deepEqual((await ask(handler, `responses/${first.id}`)).body, first);
});

test("responses: what is not stored or was deleted is not there", async () => {
  const { handler } = serving();
  const { body } = await ask(handler, "responses", { model: "m", input: "Hi", store: false });
  assert.equal((await ask(handler, `responses/${body.id}`)).status, 404);
  const { body: kept } = await ask(handler, "responses", { model: "m", input: "Hi" });
  const removed = await handler(`http://intab/v1/responses/${kept.id}`, { method: "DELETE" });
  assert.deepEqual(await removed.json(), { id: kept.id, object: "response", deleted: true });
  assert.equal((await ask(handler, `responses/${kept.id}`)).status, 404);
});

test("responses: the events of a stream build the response that comes at once", async () => {
  const answer = () => '<think>Hm.</think>I ask.<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>';
  const { handler } = serving({ template: hermes, answer });
  const given = { model: "m", input: "Hi", tools: [{ type: "function", name: "add" }] };
  const { body: events } = await ask(handler, "responses", { ...given, stream: true });
  assert.deepEqual(events.map(({ sequence_number: number }) => number), events.map((_, at) => at));
  const output = [];
  for (const event of events) {
    const item = output[event.output_index];
    if (event.type === "response.output_item.added") output.push(structuredClone(event.item));
    else if (event.type === "response.content_part.added") item.content.push(structuredClone(event.part));
    else if (event.type.endsWith("_text.delta")) item.content[0].text += event.delta;
    else if (event.type.endsWith("arguments.delta")) item.arguments += event.delta;
    else if (event.type === "response.output_item.done") assert.deepEqual({ ...item, status: "completed" }, event.item);
  }
  const last = events.at(-1);
  assert.equal(last.type, "response.completed");
  assert.deepEqual(output.map((item) => ({ ...item, status: "completed" })), last.response.output);
  const { body: whole } = await ask(handler, "responses", given);
  const plain = ({ output }) => output.map(({ id: _id, call_id: _call, ...item }) => item);
  assert.deepEqual(plain(last.response), plain(whole));
});

test("models: a list, one, and none", async () => {
  const { handler } = serving();
  const { body } = await ask(handler, "models");
  assert.deepEqual(body.data.map(({ id }) => id), ["m"]);
  assert.equal((await ask(handler, "models/m")).body.id, "m");
  assert.deepEqual(pick({ ...(await ask(handler, "models/x")).body.error, status: 404 }), [404, "model", "model_not_found"]);
  assert.equal((await ask(handler, "chat/completions", { model: "x", messages })).body.error.code, "model_not_found");
});

test("a wrong URL and a wrong method", async () => {
  const { handler } = serving();
  assert.deepEqual([(await ask(handler, "images/generations", {})).status, (await ask(handler, "chat/completions")).status], [404, 405]);
  assert.equal((await handler("http://intab/other")).status, 404);
  assert.equal((await handler(new Request("http://intab/v1/models", { method: "POST", body: "{}" }))).status, 405);
});

test("a model is loaded by the first request, once; after a failure again", async () => {
  let loads = 0;
  const load = async () => {
    loads += 1;
    await sleep(5);
    if (loads === 1) throw new Error("no network");
    return fakeModel();
  };
  const handler = handlerFor(modelsOf({ m: load }));
  assert.equal(loads, 0);
  const failed = await ask(handler, "chat/completions", { model: "m", messages });
  assert.deepEqual([failed.status, failed.body.error.type, failed.body.error.code], [503, "server_error", "model_load_failed"]);
  const statuses = await Promise.all([1, 2].map(async () => (await ask(handler, "chat/completions", { model: "m", messages })).status));
  assert.deepEqual([statuses, loads], [[200, 200], 2]);
});

test("a model that is gone is loaded again by the next request", async () => {
  let loads = 0;
  const load = () => {
    loads += 1;
    const fails = loads === 1;
    return fakeModel({ answer: () => { if (fails) throw new UnloadedError("gone"); return "Hi."; } });
  };
  const handler = handlerFor(modelsOf({ m: load }));
  assert.equal((await ask(handler, "chat/completions", { model: "m", messages })).status, 503);
  assert.equal((await ask(handler, "chat/completions", { model: "m", messages })).status, 200);
  assert.equal(loads, 2);
});

test("errors of the engine have OpenAI's shape and a fitting status", async () => {
  const errors = [
    [new ContextFullError("full", {}), 400, "messages", "context_length_exceeded"],
    [new InputError("bad", { what: "topK" }), 400, "top_k", "invalid_value"],
    [new UnsupportedError("no", { what: "constraint.jsonSchema" }), 400, "response_format", "unsupported_value"],
    [new OutOfMemoryError("no memory"), 503, null, "out_of_memory"],
    [new UnloadedError("gone"), 503, null, "model_unavailable"],
    [new Error("bug"), 500, null, null],
  ];
  for (const [error, status, param, code] of errors) {
    const answer = () => { throw error; };
    const { handler } = serving({ answer });
    const { status: got, body } = await ask(handler, "chat/completions", { model: "m", messages });
    assert.deepEqual([got, body.error.param, body.error.code, body.error.message], [status, param, code, error.message]);
    // Nor does a stream begin that has nothing to say.
    for (const [path, base] of ENDPOINTS) assert.equal((await ask(handler, path, { model: "m", ...base, stream: true })).status, status);
    const late = serving({ answer: () => "Hello!", fails: { after: 2, error } });
    const { status: sent, body: events } = await ask(late.handler, "chat/completions", { model: "m", messages, stream: true });
    assert.deepEqual([sent, events.at(-1).error.code], [200, code]);
    const { body: told } = await ask(late.handler, "responses", { model: "m", input: "Hi", stream: true });
    assert.deepEqual([told.at(-1).type, told.at(-1).response.error.message], ["response.failed", error.message]);
  }
  const template = () => { throw new TemplateError("roles must alternate"); };
  const refused = await errorOf("chat/completions", { messages, stream: true }, { template });
  assert.deepEqual(pick(refused), [400, "messages", "invalid_prompt"]);
  const long = await errorOf("completions", { prompt: "x".repeat(100), stream: true }, { info: { contextLength: 50 } });
  assert.deepEqual(pick(long), [400, "prompt", "context_length_exceeded"]);
});

test("an abort ends the generation at the next token, and the queue goes on", async () => {
  const { model, handler } = serving({ answer: () => "x".repeat(1000), lengths: [1], delay: 2 });
  const controller = new AbortController();
  const url = "http://intab/v1/chat/completions";
  const body = JSON.stringify({ model: "m", messages, stream: true });
  const response = await handler(url, { method: "POST", body, signal: controller.signal });
  const reader = response.body.getReader();
  await reader.read();
  const waiting = new AbortController();
  const second = handler(url, { method: "POST", body: JSON.stringify({ model: "m", messages }), signal: waiting.signal });
  const third = ask(handler, "chat/completions", { model: "m", messages, max_tokens: 3 });
  waiting.abort(new Error("changed my mind"));
  await assert.rejects(second, /changed my mind/);
  controller.abort();
  await assert.rejects(async () => { for (;;) if ((await reader.read()).done) return; }, { name: "AbortError" });
  assert.equal((await third).body.choices[0].message.content, "xxx");
  assert.equal(model.calls.length, 2, "the one that waited never began");
  assert.ok(Number(/after (\d+)/.exec(model.log.find((line) => line.startsWith("end")))[1]) < 900);
});

test("who cancels the body or stops to read it holds nobody up", async () => {
  const { model, handler } = serving({ answer: () => "x".repeat(200), delay: 1 });
  const init = { method: "POST", body: JSON.stringify({ model: "m", messages, stream: true }) };
  const left = await handler("http://intab/v1/chat/completions", init);
  await left.body.cancel();
  await handler("http://intab/v1/chat/completions", init); // and never read
  assert.equal((await ask(handler, "chat/completions", { model: "m", messages })).status, 200);
  assert.equal(model.log.filter((line) => line.includes("while another runs")).length, 0);
});

test("requests of mixed lengths are answered in the order in which they came", async () => {
  const { model, handler } = serving({ answer: (prompt) => prompt.slice(-30).repeat(4), delay: 1 });
  const order = [];
  const ask1 = async (at) => {
    const content = `${at}: ${"x".repeat(at % 3 === 0 ? 2000 : 3)}`;
    // Chats take more steps before they begin than completions do.
    const path = at % 2 ? "completions" : "chat/completions";
    const { status } = await ask(handler, path, { model: "m", ...(at % 2 ? { prompt: content } : { messages: [{ role: "user", content }] }) });
    order.push(at);
    assert.equal(status, 200);
  };
  await Promise.all(Array.from({ length: 8 }, (_, at) => ask1(at)));
  assert.deepEqual(order, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.equal(model.log.filter((line) => line.includes("while another runs")).length, 0);
});

test("the tokens of thoughts are counted apart", async () => {
  const { handler } = serving({ answer: () => "<think>abcd</think>Yes.", lengths: [1] });
  const { body } = await ask(handler, "chat/completions", { model: "m", messages });
  assert.equal(body.choices[0].message.reasoning_content, "abcd");
  const { reasoning_tokens: thought } = body.usage.completion_tokens_details;
  assert.ok(thought >= 4 && thought < 18, String(thought));
});

test("a model without a template is given a transcript", async () => {
  const { model, handler } = serving({ template: null, answer: () => " Hello.\nUser: and so on" });
  const list = [{ role: "system", content: "Be kind." }, ...messages, { role: "assistant", content: "Yes?" }, { role: "user", name: "Ada", content: "Ho" }];
  const { body } = await ask(handler, "chat/completions", { model: "m", messages: list, stop: "Q" });
  assert.equal(model.calls[0].prompt, "Be kind.\n\nUser: Hi\nAssistant: Yes?\nAda: Ho\nAssistant:");
  assert.deepEqual(model.calls[0].options.stop, ["Q", "\nUser:"]);
  assert.equal(body.choices[0].message.content, "Hello.");
  assert.equal(body.choices[0].finish_reason, "stop");
});
