// What requests of OpenAI's API ask for reaches the model, and what is not supported is refused by its name. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, ENDPOINTS, errorOf, messages, optionsOf, pick, serving } from "./openai-ask.mjs";
import { harmony, hermes } from "./openai-templates.mjs";

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

for (const [path, base, limits] of ENDPOINTS) {
  test(`${path}: every parameter of sampling sets the model's option`, async () => {
    for (const [name, value, option, expected] of SAMPLING) {
      assert.deepEqual((await optionsOf(path, { ...base, [name]: value }))[option], expected, name);
    }
    for (const limit of limits) assert.equal((await optionsOf(path, { ...base, [limit]: 3 })).maxNewTokens, 3, limit);
    const plain = await optionsOf(path, { ...base, temperature: null });
    assert.deepEqual(
      Object.keys(plain).filter((name) => !["signal", "stop", "maxNewTokens"].includes(name)),
      [],
      "null is left out",
    );
  });

  test(`${path}: a value out of range is refused by its name`, async () => {
    const wrong = {
      temperature: 2.1,
      top_p: 0,
      top_k: 1.5,
      min_p: -1,
      frequency_penalty: 3,
      presence_penalty: "1",
      repetition_penalty: 0,
      seed: -1,
      stop: [""],
      min_tokens: -1,
      ignore_eos: 1,
      [limits[0]]: 0,
      stream: "yes",
      model: 1,
    };
    for (const [name, value] of Object.entries(wrong)) {
      const { status, type, param, code, message } = await errorOf(path, { ...base, [name]: value });
      assert.deepEqual([status, type, param, code], [400, "invalid_request_error", name, "invalid_value"]);
      assert.match(message, /expected/);
    }
    for (const [bias, param] of [
      [{ a: 1 }, "logit_bias.a"],
      [{ 1: 101 }, "logit_bias.1"],
      [[1], "logit_bias"],
    ]) {
      assert.equal((await errorOf(path, { ...base, logit_bias: bias })).param, param);
    }
  });

  test(`${path}: an unknown name, a missing one and a body that is no JSON`, async () => {
    assert.deepEqual(pick(await errorOf(path, { ...base, temprature: 1 })), [400, "temprature", "unknown_parameter"]);
    assert.deepEqual(pick(await errorOf(path, { ...base, model: undefined })), [
      400,
      "model",
      "missing_required_parameter",
    ]);
    const [needed] = Object.keys(base);
    assert.deepEqual(pick(await errorOf(path, { [needed]: undefined })), [400, needed, "missing_required_parameter"]);
    const { handler } = serving();
    const response = await handler(`http://intab/v1/${path}`, { method: "POST", body: "{" });
    assert.equal(response.status, 400);
    assert.equal((await response.json()).error.code, "invalid_json");
  });
}

/** Parameters that the APIs have, and this one does not support. */
const REFUSED = [
  [
    "chat/completions",
    { messages },
    [
      "audio",
      "function_call",
      "functions",
      "metadata",
      "moderation",
      "prediction",
      "prompt_cache_key",
      "prompt_cache_options",
      "prompt_cache_retention",
      "safety_identifier",
      "user",
      "verbosity",
      "web_search_options",
    ],
  ],
  ["completions", { prompt: "Hi" }, ["best_of", "suffix", "user"]],
  ["embeddings", { input: "Hi" }, ["user"]],
  [
    "rerank",
    { query: "q", documents: ["d"] },
    ["max_tokens_per_doc", "max_chunks_per_doc", "rank_fields", "priority", "user"],
  ],
  [
    "responses",
    { input: "Hi" },
    [
      "background",
      "context_management",
      "conversation",
      "max_tool_calls",
      "moderation",
      "prompt",
      "prompt_cache_key",
      "prompt_cache_options",
      "prompt_cache_retention",
      "safety_identifier",
      "user",
      "verbosity",
    ],
  ],
];

test("what is not supported is refused by its name, not left out", async () => {
  for (const [path, base, names] of REFUSED) {
    for (const name of names)
      assert.deepEqual(pick(await errorOf(path, { ...base, [name]: "x" })), [400, name, "unsupported_parameter"]);
  }
});

test("parts of parameters that are not supported are named", async () => {
  const chat = [
    [
      { messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] },
      "messages[0].content[0].type",
    ],
    [{ messages: [{ role: "function", name: "f", content: "x" }] }, "messages[0].role"],
    [{ messages: [{ role: "user", content: "x", cache: 1 }] }, "messages[0].cache"],
    [{ messages: [{ role: "assistant", content: "x", audio: { id: "a" } }] }, "messages[0].audio"],
    [{ messages: [{ role: "tool", content: "x" }] }, "messages[0].tool_call_id"],
    [
      {
        messages: [
          { role: "assistant", tool_calls: [{ id: "a", type: "function", function: { name: "f", arguments: "{" } }] },
        ],
      },
      "messages[0].tool_calls[0].function.arguments",
    ],
    [{ messages, tools: [{ type: "custom", custom: { name: "f" } }] }, "tools[0].type"],
    [{ messages, tools: [{ type: "function", function: { name: "f f" } }] }, "tools[0].function.name"],
    [{ messages, tools: [1, 2].map(() => ({ type: "function", function: { name: "f" } })) }, "tools"],
    [{ messages, tool_choice: "required" }, "tool_choice"],
    [{ messages, parallel_tool_calls: true }, "parallel_tool_calls"],
    [
      {
        messages,
        tools: [{ type: "function", function: { name: "f" } }],
        tool_choice: { type: "function", function: { name: "g" } },
      },
      "tool_choice",
    ],
    [
      { messages, tools: [{ type: "function", function: { name: "f" } }], tool_choice: { type: "custom" } },
      "tool_choice.type",
    ],
    [{ messages, response_format: { type: "xml" } }, "response_format.type"],
    [
      { messages, response_format: { type: "json_schema", json_schema: { name: "a" } } },
      "response_format.json_schema.schema",
    ],
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
  const format = (schema, strict) => ({
    messages,
    response_format: { type: "json_schema", json_schema: { name: "a", schema, strict } },
  });
  const open = { type: "object", properties: { a: { type: "object", properties: { b: {} } } } };
  const at = "response_format.json_schema.schema";
  assert.equal((await errorOf("chat/completions", format(open, true))).param, `${at}.additionalProperties`);
  const closed = { ...open, additionalProperties: false };
  assert.equal((await errorOf("chat/completions", format(closed, true))).param, `${at}.required`);
  assert.equal(
    (await errorOf("chat/completions", format({ ...closed, required: ["a"] }, true))).param,
    `${at}.properties.a.additionalProperties`,
  );
  assert.deepEqual((await optionsOf("chat/completions", format(open, false))).constraint, { jsonSchema: open });
  assert.deepEqual(
    (await optionsOf("chat/completions", { messages, response_format: { type: "json_object" } })).constraint,
    { jsonSchema: { type: "object" } },
  );
  assert.equal(
    (await optionsOf("chat/completions", { messages, response_format: { type: "text" } })).constraint,
    undefined,
  );
  assert.deepEqual(
    (await optionsOf("responses", { input: "x", text: { format: { type: "json_schema", name: "a", schema: open } } }))
      .constraint,
    { jsonSchema: open },
  );
});

test("a word on the format reaches the model", async () => {
  const { model, handler } = serving();
  const json_schema = { name: "pet", description: "A pet of the user", schema: {} };
  await ask(handler, "chat/completions", {
    model: "m",
    messages,
    response_format: { type: "json_schema", json_schema },
  });
  assert.match(model.calls[0].prompt, /<system>The answer is JSON\. pet: A pet of the user<\/system>/);
});

test("what is held to JSON begins after the thoughts, and on gpt-oss in its last channel", async () => {
  const thinks = (list, variables) =>
    hermes(list, variables) + (variables.add_generation_prompt === false ? "" : "<think>\n");
  for (const [template, end] of [
    [thinks, "<think>\n\n</think>\n\n"],
    [harmony, "<|start|>assistant<|channel|>final<|message|>"],
  ]) {
    const { model, handler } = serving({ template, answer: () => "{}" });
    const { body } = await ask(handler, "chat/completions", {
      model: "m",
      messages,
      response_format: { type: "json_object" },
    });
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
  assert.deepEqual(pick(await errorOf("chat/completions", { messages, reasoning_effort: "low" })), [
    400,
    "reasoning_effort",
    "unsupported_parameter",
  ]);
  assert.equal(
    (await errorOf("chat/completions", { messages, ...kwargs }, { template: null })).param,
    "chat_template_kwargs",
  );
});
