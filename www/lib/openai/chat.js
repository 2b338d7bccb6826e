// POST /v1/chat/completions

import { chatLogprob, newCallId, newId, now, usageOf } from "./answer.js";
import { boolean, check, integer, oneOf, required, string, templateVariables } from "./checks.js";
import { invalid } from "./errors.js";
import { responseFormat, TEXT } from "./format.js";
import { jsonResponse } from "./json-response.js";
import { messages } from "./messages.js";
import { requestPrompt } from "./prompt.js";
import { fingerprint, generate, servedBy, streamResponse } from "./run.js";
import { choices, SAMPLING, samplingChecks, samplingOptions } from "./sampling.js";
import { chatTools, chosenTools, toolChoice } from "./tools.js";

/** @typedef {import("./run.js").Exchange} Exchange */

/** @type {import("./checks.js").Check} */
export const streamOptions = (value, param) =>
  // Nothing is added to hide how long tokens are, as the answer does not leave the machine.
  check(value, { include_usage: boolean, include_obfuscation: oneOf([false]) }, { within: param });

export const effort = oneOf(["none", "minimal", "low", "medium", "high", "xhigh"]);

const checks = {
  model: string,
  messages,
  ...samplingChecks([...SAMPLING, "max_tokens", "max_completion_tokens"]),
  n: choices,
  logprobs: boolean,
  top_logprobs: integer(0, 20),
  response_format: responseFormat,
  tools: chatTools,
  tool_choice: toolChoice,
  parallel_tool_calls: boolean,
  stream: boolean,
  stream_options: streamOptions,
  reasoning_effort: effort,
  chat_template_kwargs: templateVariables,
  // Told in the answer; there is nothing else to choose here.
  service_tier: oneOf(["auto", "default"]),
  modalities: (/** @type {unknown} */ value, /** @type {string} */ param) => {
    if (JSON.stringify(value) === '["text"]') return value;
    throw invalid(param, 'only ["text"] is supported', "unsupported_value");
  },
  // Nothing is kept, which is what false asks for.
  store: oneOf([false]),
};

const refused = [
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
];

/** @param {Exchange} exchange @returns {Promise<Response>} */
export async function chatCompletions(exchange) {
  const given = check(exchange.body, checks, { refused });
  const model = required(given, "model");
  const options = { ...samplingOptions(given), ...logprobs(given) };
  const chat = {
    messages: required(given, "messages"),
    tools: chosenTools(given),
    format: given.response_format ?? TEXT,
    variables: given.chat_template_kwargs ?? {},
    effort: given.reasoning_effort,
  };
  if (given.stream_options && !given.stream) throw invalid("stream_options", "it is only allowed with stream: true");
  const n = given.n ?? 1;
  const constraint = chat.tools.tools.length > 0 ? "tools" : "response_format";
  const wanted = { model, input: "messages", constraint, n, options };
  const run = await generate(exchange, wanted, async (served) => [await requestPrompt(served, chat, "messages")]);
  const [{ shortIds }] = run.prompts;
  const about = {
    id: newId("chatcmpl-"),
    created: now(),
    model,
    ...(given.service_tier ? { service_tier: "default" } : {}),
    system_fingerprint: fingerprint(run.model),
  };
  const steps = deltas(run.steps, { shortIds, withLogprobs: given.logprobs === true });
  const headers = servedBy(run.model);
  if (!given.stream) return jsonResponse(await whole(steps, about, n), headers);
  return streamResponse(
    chunks(steps, about, n, given.stream_options?.include_usage === true),
    exchange.request,
    headers,
  );
}

/** @param {Record<string, any>} given */
function logprobs({ logprobs, top_logprobs: top }) {
  if (top !== undefined && logprobs !== true) throw invalid("top_logprobs", "it is only allowed with logprobs: true");
  return logprobs ? { logprobs: top ?? 0 } : {};
}

/**
 * What is added to a choice: a delta as OpenAI's chunks have it, then its end.
 * @typedef {{index: number, delta: Record<string, any>, logprobs: object[], summary?: import("./answer.js").Summary}} Added
 */

/**
 * @param {AsyncGenerator<import("./run.js").ChoiceStep, void, void>} steps
 * @param {{shortIds: boolean, withLogprobs: boolean}} how
 * @returns {AsyncGenerator<Added, void, void>}
 */
async function* deltas(steps, { shortIds, withLogprobs }) {
  for await (const { index, step, summary } of steps) {
    if (summary) yield { index, delta: {}, logprobs: [], summary };
    if (!step) continue;
    const logprobs = withLogprobs ? step.tokens.map(chatLogprob) : [];
    const parts = step.parts.map((part) => asDelta(part, shortIds));
    if (parts.length === 0 && logprobs.length > 0) parts.push({});
    for (const [at, delta] of parts.entries()) yield { index, delta, logprobs: at === 0 ? logprobs : [] };
  }
}

/** @param {import("../syntax/reader.js").Part} part @param {boolean} shortIds @returns {Record<string, any>} */
function asDelta(part, shortIds) {
  switch (part.type) {
    case "content":
      return { content: part.text };
    case "reasoning":
      return { reasoning_content: part.text };
    case "call": {
      const called = { name: part.name, arguments: "" };
      return { tool_calls: [{ index: part.call, id: newCallId(shortIds), type: "function", function: called }] };
    }
    case "arguments":
      return { tool_calls: [{ index: part.call, function: { arguments: part.text } }] };
  }
}

/**
 * @param {AsyncGenerator<Added, void, void>} steps
 * @param {object} about
 * @param {number} n
 * @param {boolean} withUsage
 * @returns {AsyncGenerator<import("./sse.js").ServerEvent, void, void>}
 */
async function* chunks(steps, about, n, withUsage) {
  const usage = withUsage ? { usage: null } : {};
  const chunk = (/** @type {object[]} */ choices, /** @type {object} */ more = usage) => ({
    data: { ...about, object: "chat.completion.chunk", choices, ...more },
  });
  const choice = (/** @type {number} */ index, /** @type {object} */ delta, /** @type {object[]} */ logprobs = []) => ({
    index,
    delta,
    logprobs: logprobs.length > 0 ? { content: logprobs, refusal: null } : null,
    finish_reason: /** @type {string | null} */ (null),
  });
  const summaries = [];
  let begun = -1;
  for await (const { index, delta, logprobs, summary } of steps) {
    if (index > begun) yield chunk([choice(index, { role: "assistant", content: "" })]);
    begun = index;
    if (!summary) yield chunk([choice(index, delta, logprobs)]);
    else {
      summaries.push(summary);
      yield chunk([{ ...choice(index, {}), finish_reason: summary.finish }]);
    }
  }
  if (withUsage) yield chunk([], { usage: usageOf(summaries, n) });
  yield { data: "[DONE]" };
}

/**
 * A choice as far as it has come.
 * @typedef {object} Whole
 * @property {string} content
 * @property {string} reasoning
 * @property {any[]} calls
 * @property {object[]} logprobs
 * @property {import("./answer.js").Summary} [summary]
 */

/**
 * The same all together.
 * @param {AsyncGenerator<Added, void, void>} steps
 * @param {object} about
 * @param {number} n
 */
async function whole(steps, about, n) {
  /** @type {Whole[]} */
  const answers = Array.from({ length: n }, () => ({ content: "", reasoning: "", calls: [], logprobs: [] }));
  for await (const { index, delta, logprobs, summary } of steps) {
    const answer = answers[index];
    answer.summary = summary;
    answer.logprobs.push(...logprobs);
    answer.content += delta.content ?? "";
    answer.reasoning += delta.reasoning_content ?? "";
    for (const { index: at, ...call } of delta.tool_calls ?? []) {
      if (call.id) answer.calls.push(call);
      else answer.calls[at].function.arguments += call.function.arguments;
    }
  }
  const done = answers.map(({ content, reasoning, calls, logprobs, summary }, index) => ({
    index,
    message: {
      role: "assistant",
      content: content === "" && calls.length > 0 ? null : content,
      refusal: null,
      ...(reasoning === "" ? {} : { reasoning_content: reasoning }),
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    },
    logprobs: logprobs.length > 0 ? { content: logprobs, refusal: null } : null,
    finish_reason: summary?.finish,
  }));
  const summaries = answers.flatMap(({ summary }) => (summary ? [summary] : []));
  return { ...about, object: "chat.completion", choices: done, usage: usageOf(summaries, n) };
}
