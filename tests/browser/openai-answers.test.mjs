// What answers of OpenAI's API are made of, over models whose text is written by the test. Needs no browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ask, ENDPOINTS, errorOf, messages, serving } from "./openai-ask.mjs";
import { hermes } from "./openai-templates.mjs";

test("choices have seeds of their own, and the prompt counts once", async () => {
  const { model, handler } = serving({ answer: (_prompt, { seed }) => `seed ${seed}` });
  const { body } = await ask(handler, "chat/completions", { model: "m", messages, n: 3, seed: 5 });
  assert.deepEqual(
    body.choices.map(({ index, message }) => [index, message.content]),
    [
      [0, "seed 5"],
      [1, "seed 6"],
      [2, "seed 7"],
    ],
  );
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
  assert.deepEqual(content[0], {
    token: "H",
    logprob: -0.25,
    bytes: [72],
    top_logprobs: [
      { token: "H", logprob: -0.25, bytes: [72] },
      { token: "H1", logprob: -1.25, bytes: [72, 49] },
    ],
  });
  const { body: chunks } = await ask(handler, "chat/completions", { ...given, stream: true });
  assert.deepEqual(
    chunks.flatMap((chunk) => chunk.choices?.[0].logprobs?.content ?? []),
    content,
  );
  const { body: none } = await ask(handler, "chat/completions", { model: "m", messages });
  assert.equal(none.choices[0].logprobs, null);
});

test("a token's text in logprobs is its own, also where the text waits for what follows", async () => {
  const { model, handler } = serving({ lengths: [1] });
  const generate = model.generate.bind(model);
  // The engine holds back what may become a stop text.
  model.generate = (...given) => {
    const generation = generate(...given);
    const tokens = generation.tokens.bind(generation);
    generation.tokens = async function* () {
      let held = "";
      for await (const token of tokens()) {
        held += token.text;
        const isSure = token.text !== "l";
        yield { ...token, text: isSure ? held : "" };
        if (isSure) held = "";
      }
    };
    return generation;
  };
  const { body } = await ask(handler, "chat/completions", { model: "m", messages, logprobs: true });
  const [{ message, logprobs }] = body.choices;
  assert.equal(message.content, "Hello!");
  assert.deepEqual(
    logprobs.content.map(({ token }) => token),
    ["H", "e", "l", "l", "o", "!"],
  );
});

test("completions: texts, tokens, echo, the old logprobs", async () => {
  const { model, handler } = serving({ answer: (prompt) => ` after ${prompt}` });
  const { body } = await ask(handler, "completions", {
    model: "m",
    prompt: ["a", [98]],
    echo: true,
    n: 2,
    max_tokens: 50,
  });
  assert.deepEqual(
    body.choices.map(({ index, text }) => [index, text]),
    [
      [0, "a after a"],
      [1, "a after a"],
      [2, "b after b"],
      [3, "b after b"],
    ],
  );
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
  assert.deepEqual(
    data.map(({ index, embedding }) => [index, embedding.length]),
    [
      [0, 4],
      [1, 4],
    ],
  );
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
    assert.deepEqual(
      scores,
      [...scores].sort((a, b) => b - a),
    );
    assert.ok(Math.abs(scores[0] - (task === "embed" ? 1 : 1 / (1 + Math.exp(-2)))) < 1e-6, String(scores[0]));
    assert.equal(body.results[0].document, undefined);
    const { body: top } = await ask(handler, "rerank", {
      model: "m",
      query: "query",
      documents,
      top_n: 1,
      return_documents: true,
    });
    assert.deepEqual(top.results, [{ ...body.results[0], document: { text: "query" } }]);
    assert.equal(top.usage.total_tokens, 17);
  }
  assert.equal((await errorOf("rerank", { query: "q", documents: [] })).param, "documents");
});

test("responses: a conversation goes on from what was kept, with its calls and thoughts", async () => {
  const answers = ['<think>Hm.</think>I ask.<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>', "It is 2."];
  const { model, handler } = serving({ template: hermes, answer: () => answers[model.calls.length - 1] });
  const tools = [{ type: "function", name: "add", parameters: { type: "object" } }];
  const { body: first } = await ask(handler, "responses", {
    model: "m",
    input: "1 + 1?",
    instructions: "Be brief.",
    tools,
  });
  assert.deepEqual(
    first.output.map(({ type }) => type),
    ["reasoning", "message", "function_call"],
  );
  const [, , { call_id, name, arguments: args }] = first.output;
  assert.deepEqual([name, args], ["add", '{"a": 1}']);
  const output = [{ type: "function_call_output", call_id, output: "2" }];
  const { body: second } = await ask(handler, "responses", {
    model: "m",
    input: output,
    tools,
    previous_response_id: first.id,
  });
  assert.equal(second.output_text, "It is 2.");
  const { prompt } = model.calls[1];
  assert.match(
    prompt,
    /1 \+ 1\?[^]*<think>\nHm\.\n<\/think>\nI ask\.\n<tool_call>\n\{"name":"add","arguments":\{"a":1\}\}[^]*tool\n2/,
  );
  assert.doesNotMatch(prompt, /Be brief/, "instructions are of one request");
  assert.deepEqual((await ask(handler, `responses/${first.id}`)).body, first);
});

test("responses: what was asked for is told back, and logprobs are where the text is", async () => {
  const { handler } = serving();
  const include = ["message.output_text.logprobs"];
  const given = { model: "m", input: "Hi", metadata: { a: "b" }, temperature: 0.5, include, top_logprobs: 1 };
  const { body } = await ask(handler, "responses", given);
  assert.deepEqual([body.metadata, body.temperature, body.service_tier], [{ a: "b" }, 0.5, "default"]);
  const [{ logprobs }] = body.output[0].content;
  assert.equal(logprobs.map(({ token }) => token).join(""), "Hello!");
  assert.equal(logprobs[0].top_logprobs.length, 1);
  const { body: events } = await ask(handler, "responses", { ...given, stream: true });
  assert.deepEqual(
    events.flatMap(({ type, logprobs = [] }) => (type === "response.output_text.delta" ? logprobs : [])),
    logprobs,
  );
  const { body: chat } = await ask(handler, "chat/completions", { model: "m", messages, service_tier: "auto" });
  assert.equal(chat.service_tier, "default");
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
  assert.deepEqual(
    events.map(({ sequence_number: number }) => number),
    events.map((_, at) => at),
  );
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
  assert.deepEqual(
    output.map((item) => ({ ...item, status: "completed" })),
    last.response.output,
  );
  const { body: whole } = await ask(handler, "responses", given);
  const plain = ({ output }) => output.map(({ id: _id, call_id: _call, ...item }) => item);
  assert.deepEqual(plain(last.response), plain(whole));
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
  const list = [
    { role: "system", content: "Be kind." },
    ...messages,
    { role: "assistant", content: "Yes?" },
    { role: "user", name: "Ada", content: "Ho" },
  ];
  const { body } = await ask(handler, "chat/completions", { model: "m", messages: list, stop: "Q" });
  assert.equal(model.calls[0].prompt, "Be kind.\n\nUser: Hi\nAssistant: Yes?\nAda: Ho\nAssistant:");
  assert.deepEqual(model.calls[0].options.stop, ["Q", "\nUser:"]);
  assert.equal(body.choices[0].message.content, "Hello.");
  assert.equal(body.choices[0].finish_reason, "stop");
});
