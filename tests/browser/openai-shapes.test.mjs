// Requests and answers have the shapes that OpenAI publishes: the compiler holds them to the types of its own client package.
// Needs no browser.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { handlerFor, modelsOf } from "../../www/lib/openai/handler.js";
import { fakeModel } from "./fake-model.mjs";
import { ask } from "./openai-ask.mjs";
import { hermes } from "./openai-templates.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));

const messages = [{ role: "user", content: "Hi" }];
const tool = {
  type: "function",
  function: { name: "add", description: "Adds", parameters: { type: "object", properties: {} } },
};
const responseTool = {
  type: "function",
  name: "add",
  description: "Adds",
  parameters: { type: "object", properties: {} },
  strict: false,
};
const schema = { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false };
const callText = '<think>Hm.</think>Well.<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>';
const chatCall = [
  ...messages,
  {
    role: "assistant",
    content: null,
    tool_calls: [{ id: "c", type: "function", function: { name: "add", arguments: "{}" } }],
  },
  { role: "tool", tool_call_id: "c", content: "2" },
];

const CHAT = ["ChatCompletionCreateParams", "Chat", "ChatChunk", "chat/completions"];
const TEXT = ["CompletionCreateParams", "Completion", "TextChunk", "completions"];
const EMBED = ["EmbeddingCreateParams", "CreateEmbeddingResponse", "", "embeddings"];
const RESPONSE = ["ResponseCreateParams", "ApiResponse", "ResponseStreamEvent", "responses"];
const BAD = { status: 400 };

/** What each case is, its endpoint and body, and what the model answers or the status where it is not 200. */
const cases = [
  ["a chat", CHAT, { messages }],
  ["with a system", CHAT, { messages: [{ role: "system", content: "Be brief." }, ...messages] }],
  ["with a developer", CHAT, { messages: [{ role: "developer", content: "Be brief.", name: "d" }, ...messages] }],
  [
    "with parts of text",
    CHAT,
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "Hi" },
            { type: "text", text: "there" },
          ],
        },
      ],
    },
  ],
  ["several choices", CHAT, { messages, n: 3, seed: 1 }],
  [
    "sampling",
    CHAT,
    { messages, temperature: 0.5, top_p: 0.9, frequency_penalty: 0.1, presence_penalty: -0.1, seed: 7 },
  ],
  ["stop texts", CHAT, { messages, stop: ["lo", "!"] }],
  ["a stop text", CHAT, { messages, stop: "l" }],
  ["a limit", CHAT, { messages, max_completion_tokens: 2 }],
  ["the old limit", CHAT, { messages, max_tokens: 2 }],
  ["logprobs", CHAT, { messages, logprobs: true }],
  ["top logprobs", CHAT, { messages, logprobs: true, top_logprobs: 3 }],
  ["a logit bias", CHAT, { messages, logit_bias: { 72: -100 } }],
  ["tools", CHAT, { messages, tools: [tool] }],
  ["a call", CHAT, { messages, tools: [tool], tool_choice: "auto", parallel_tool_calls: true }, { answer: callText }],
  [
    "a call after thoughts, forced",
    CHAT,
    { messages, tools: [tool], tool_choice: { type: "function", function: { name: "add" } } },
    { answer: '{"name":"add","arguments":{}}' },
  ],
  [
    "a required call",
    CHAT,
    { messages, tools: [tool], tool_choice: "required" },
    { answer: '{"name":"add","arguments":{}}' },
  ],
  ["no call", CHAT, { messages, tools: [tool], tool_choice: "none" }],
  ["after a call", CHAT, { messages: chatCall, tools: [tool] }],
  ["text as its format", CHAT, { messages, response_format: { type: "text" } }],
  ["JSON", CHAT, { messages, response_format: { type: "json_object" } }, { answer: "{}" }],
  [
    "JSON of a schema",
    CHAT,
    {
      messages,
      response_format: { type: "json_schema", json_schema: { name: "a", description: "An a", schema, strict: true } },
    },
    { answer: '{"a":""}' },
  ],
  ["thoughts", CHAT, { messages, reasoning_effort: "high" }, { answer: "<think>Hm.</think>Yes." }],
  ["a tier", CHAT, { messages, service_tier: "auto", modalities: ["text"], store: false }],
  ["a stream", CHAT, { messages, stream: true }],
  ["a stream with usage", CHAT, { messages, stream: true, stream_options: { include_usage: true } }],
  ["a stream of choices", CHAT, { messages, stream: true, n: 2 }],
  ["a stream of a call", CHAT, { messages, stream: true, tools: [tool] }, { answer: callText }],
  ["a stream with logprobs", CHAT, { messages, stream: true, logprobs: true, top_logprobs: 2 }],
  ["what is not supported", CHAT, { messages, audio: { format: "mp3", voice: "alloy" } }, BAD],
  ["a value out of range", CHAT, { messages, temperature: 3 }, BAD],
  ["no messages", CHAT, { messages: [] }, BAD],
  ["no such model", CHAT, { messages, model: "other" }, { status: 404 }],
  ["too long", CHAT, { messages: [{ role: "user", content: "x".repeat(5000) }] }, BAD],
  ["a completion", TEXT, { prompt: "Once" }],
  ["completions", TEXT, { prompt: ["Once", "upon"], n: 2, max_tokens: 4, seed: 3 }],
  ["of tokens", TEXT, { prompt: [72, 105], stop: ["x"] }],
  ["of lists of tokens, echoed", TEXT, { prompt: [[72], [105]], echo: true }],
  ["with logprobs", TEXT, { prompt: "Once", logprobs: 2 }],
  ["a stream of text", TEXT, { prompt: "Once", stream: true, stream_options: { include_usage: true } }],
  ["a stream of text with logprobs", TEXT, { prompt: "Once", stream: true, logprobs: 1 }],
  ["a suffix", TEXT, { prompt: "Once", suffix: "." }, BAD],
  ["an embedding", EMBED, { input: "a cat" }],
  ["embeddings", EMBED, { input: ["a cat", "a dog"], encoding_format: "float" }],
  ["embeddings of tokens, cut", EMBED, { input: [[97], [98, 99]], dimensions: 2 }],
  ["a user", EMBED, { input: "a", user: "me" }, BAD],
  ["a response", RESPONSE, { input: "Hi" }],
  [
    "of items",
    RESPONSE,
    {
      input: [{ role: "user", content: [{ type: "input_text", text: "Hi" }] }],
      instructions: "Be brief.",
      metadata: { a: "b" },
    },
  ],
  [
    "a response with thoughts and a call",
    RESPONSE,
    { input: "Hi", tools: [responseTool], tool_choice: "auto" },
    { answer: callText },
  ],
  [
    "after calls",
    RESPONSE,
    {
      input: [
        { role: "user", content: "Hi" },
        { type: "function_call", call_id: "c", name: "add", arguments: "{}" },
        { type: "function_call_output", call_id: "c", output: "2" },
      ],
      tools: [responseTool],
    },
  ],
  [
    "a response in JSON",
    RESPONSE,
    { input: "Hi", text: { format: { type: "json_schema", name: "a", schema, strict: true } } },
    { answer: '{"a":""}' },
  ],
  ["a response with logprobs", RESPONSE, { input: "Hi", include: ["message.output_text.logprobs"], top_logprobs: 2 }],
  ["a response that is cut", RESPONSE, { input: "Hi", max_output_tokens: 1, store: false, truncation: "disabled" }],
  ["a stream of a response", RESPONSE, { input: "Hi", stream: true }],
  [
    "a stream of thoughts and a call",
    RESPONSE,
    { input: "Hi", stream: true, tools: [responseTool] },
    { answer: callText },
  ],
  ["a stream that is cut", RESPONSE, { input: "Hi", stream: true, max_output_tokens: 1 }],
  ["a conversation elsewhere", RESPONSE, { input: "Hi", conversation: "c" }, BAD],
];

/** What this API has beside OpenAI's: thoughts, as DeepSeek and vLLM tell them. */
const TYPES = `
import type {
  ChatCompletion, ChatCompletionChunk, ChatCompletionCreateParams, ChatCompletionMessage,
} from "openai/resources/chat/completions";
import type { Completion, CompletionCreateParams } from "openai/resources/completions";
import type { CreateEmbeddingResponse, EmbeddingCreateParams } from "openai/resources/embeddings";
import type { Model } from "openai/resources/models";
import type { Response as ApiResponse, ResponseCreateParams, ResponseStreamEvent } from "openai/resources/responses/responses";
import type { ErrorObject } from "openai/resources/shared";
type Thoughts = { reasoning_content?: string };
type Chat = Omit<ChatCompletion, "choices"> & {
  choices: (Omit<ChatCompletion.Choice, "message"> & { message: ChatCompletionMessage & Thoughts })[];
};
// The published type forgets that parts before the last have no reason to finish; OpenAI sends null there.
type TextChunk = Omit<Completion, "choices"> & {
  choices: (Omit<Completion["choices"][number], "finish_reason"> & { finish_reason: "stop" | "length" | null })[];
};
type ChatChunk = Omit<ChatCompletionChunk, "choices"> & {
  choices: (Omit<ChatCompletionChunk.Choice, "delta"> & { delta: ChatCompletionChunk.Choice.Delta & Thoughts })[];
};
`;

test(`${cases.length} requests and their answers fit the types of OpenAI's own client`, async () => {
  const lines = [TYPES];
  const say = (type, value, note = "") =>
    lines.push(`${note}export const v${lines.length}: ${type} = ${JSON.stringify(value)};`);
  let events = 0;
  for (const [name, [request, answer, part, path], body, { answer: text = "Hello!", status = 200 } = {}] of cases) {
    const handler = handlerFor(modelsOf({ m: fakeModel({ template: hermes, answer: () => text }) }));
    const given = { model: "m", ...body };
    const got = await ask(handler, path, given);
    assert.equal(got.status, status, `${name}: ${JSON.stringify(got.body)}`);
    lines.push(`// ${name}`);
    say(request, given);
    if (status !== 200) say("{error: ErrorObject}", got.body);
    else if (given.stream)
      for (const event of got.body.filter((event) => event !== "[DONE]")) (say(part, event), (events += 1));
    else say(answer, got.body);
  }
  const handler = handlerFor(modelsOf({ m: fakeModel() }));
  say(`{object: "list", data: Model[]}`, (await ask(handler, "models")).body);
  say("Model", (await ask(handler, "models/m")).body);
  // The compiler has to complain of these, or it would complain of nothing.
  const { body } = await ask(handler, "chat/completions", { model: "m", messages });
  say("Chat", { ...body, object: "chat" }, "// @ts-expect-error\n");
  say("Chat", { ...body, extra: 1 }, "// @ts-expect-error\n");
  say("Chat", { ...body, choices: [{ ...body.choices[0], finish_reason: "eos" }] }, "// @ts-expect-error\n");

  // The folder lies here, where the client's package is found.
  const folder = `${here}node_modules/.openai-shapes/`;
  await mkdir(folder, { recursive: true });
  await writeFile(`${folder}cases.ts`, lines.join("\n"));
  await writeFile(
    `${folder}tsconfig.json`,
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        skipLibCheck: true,
        target: "es2022",
        module: "es2022",
        moduleResolution: "bundler",
        lib: ["es2022", "dom"],
        types: [],
      },
      files: ["cases.ts"],
    }),
  );
  const complaints = await promisify(execFile)(process.execPath, [
    `${here}node_modules/typescript/bin/tsc`,
    "-p",
    folder,
  ]).then(
    () => "",
    ({ stdout }) => stdout,
  );
  assert.equal(complaints, "");
  await rm(folder, { recursive: true });
  assert.ok(events > 60, `${events} events`);
});
