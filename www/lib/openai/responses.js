// POST /v1/responses

import { newId, now, usageOf } from "./answer.js";
import { effort } from "./chat.js";
import { boolean, check, integer, isObject, metadata, oneOf, required, string, templateVariables } from "./checks.js";
import { invalid } from "./errors.js";
import { TEXT, textFormat } from "./format.js";
import { jsonResponse } from "./json-response.js";
import { requestPrompt } from "./prompt.js";
import { input } from "./responses-input.js";
import { Output } from "./responses-output.js";
import { generate, servedBy, streamResponse } from "./run.js";
import { SAMPLING, samplingChecks, samplingOptions } from "./sampling.js";
import { chosenTools, responseTools, toolChoice } from "./tools.js";

/** @typedef {import("./run.js").Exchange} Exchange */

/** What can be asked for in addition. */
const LOGPROBS = "message.output_text.logprobs";

const checks = {
  model: string,
  input,
  instructions: string,
  ...samplingChecks([...SAMPLING, "max_output_tokens"]),
  top_logprobs: integer(0, 20),
  include: (/** @type {unknown} */ value, /** @type {string} */ param) => {
    if (Array.isArray(value) && value.every((entry) => entry === LOGPROBS)) return value;
    throw invalid(param, `only ["${LOGPROBS}"] is supported`, "unsupported_value");
  },
  text: (/** @type {unknown} */ value, /** @type {string} */ param) =>
    check(value, { format: textFormat }, { within: param, refused: ["verbosity"] }),
  tools: responseTools,
  tool_choice: toolChoice,
  parallel_tool_calls: boolean,
  reasoning: (/** @type {unknown} */ value, /** @type {string} */ param) =>
    check(value, { effort }, { within: param, refused: ["summary", "generate_summary"] }),
  previous_response_id: string,
  store: boolean,
  metadata,
  stream: boolean,
  stream_options: (/** @type {unknown} */ value, /** @type {string} */ param) =>
    check(value, { include_obfuscation: oneOf([false]) }, { within: param }),
  chat_template_kwargs: templateVariables,
  service_tier: oneOf(["auto", "default"]),
  // What does not fit the context is refused.
  truncation: oneOf(["disabled"]),
};

const refused = [
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
];

/** @param {Exchange} exchange @returns {Promise<Response>} */
export async function responses(exchange) {
  const given = check(exchange.body, checks, { refused });
  const model = required(given, "model");
  const { previous_response_id: previous, store = true } = given;
  const withLogprobs = given.include?.length > 0;
  if (given.top_logprobs !== undefined && !withLogprobs)
    throw invalid("top_logprobs", `it is only allowed with include: ["${LOGPROBS}"]`);
  if (given.stream_options && !given.stream) throw invalid("stream_options", "it is only allowed with stream: true");
  const earlier = previous === undefined ? [] : exchange.stored.get(previous, "previous_response_id").messages;
  const messages = [...earlier, ...required(given, "input")];
  const chat = {
    messages: given.instructions === undefined ? messages : withInstructions(messages, given.instructions),
    tools: chosenTools(given),
    format: given.text?.format ?? TEXT,
    variables: given.chat_template_kwargs ?? {},
    effort: given.reasoning?.effort,
  };
  const options = { ...samplingOptions(given), ...(withLogprobs ? { logprobs: given.top_logprobs ?? 0 } : {}) };
  const constraint = chat.tools.tools.length > 0 ? "tools" : "text.format";
  const wanted = { model, input: "input", constraint, n: 1, options };
  const run = await generate(exchange, wanted, async (served) => [await requestPrompt(served, chat, "input")]);
  const output = new Output({ shortIds: run.prompts[0].shortIds, withLogprobs });
  const response = begun(exchange.body, given);
  const keep = () => {
    if (store) exchange.stored.keep({ response, messages: [...messages, ...output.messages()] });
  };
  const events = tell(run.steps, output, response, keep);
  const headers = servedBy(run.model);
  if (given.stream) {
    const number = counter();
    const onError = (/** @type {import("./errors.js").ApiError} */ error) => failed(error, response, number());
    return streamResponse(numbered(events, number), exchange.request, headers, onError);
  }
  for await (const _ of events);
  return jsonResponse(response, headers);
}

/**
 * What holds for this answer alone, before what the system says already: many templates know one message of it.
 * @param {import("../syntax/messages.js").ChatMessage[]} messages @param {string} instructions
 */
function withInstructions(messages, instructions) {
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: instructions }, ...messages];
  return [{ ...first, content: `${instructions}\n\n${first.content}` }, ...rest];
}

/** The answer before there is any. @param {any} body As it was asked for. @param {Record<string, any>} given */
function begun(body, given) {
  return {
    id: newId("resp_"),
    object: "response",
    created_at: now(),
    status: "in_progress",
    error: null,
    incomplete_details: null,
    instructions: given.instructions ?? null,
    max_output_tokens: given.max_output_tokens ?? null,
    metadata: given.metadata ?? {},
    model: given.model,
    output: /** @type {object[]} */ ([]),
    output_text: "",
    parallel_tool_calls: given.parallel_tool_calls ?? true,
    previous_response_id: given.previous_response_id ?? null,
    reasoning: { effort: given.reasoning?.effort ?? null, summary: null },
    service_tier: "default",
    temperature: given.temperature ?? null,
    text: { format: isObject(body.text?.format) ? body.text.format : { type: "text" } },
    tool_choice: body.tool_choice ?? "auto",
    tools: (body.tools ?? []).map((/** @type {object} */ tool) => ({ strict: false, ...tool })),
    top_logprobs: given.top_logprobs ?? 0,
    top_p: given.top_p ?? null,
    truncation: "disabled",
    usage: /** @type {object | undefined} */ (undefined),
  };
}

/**
 * The events of an answer; `response` has it whole in the end.
 * @param {AsyncGenerator<import("./run.js").ChoiceStep, void, void>} steps
 * @param {Output} output
 * @param {ReturnType<typeof begun>} response
 * @param {() => void} keep
 * @returns {AsyncGenerator<import("./responses-output.js").OutputEvent, void, void>}
 */
async function* tell(steps, output, response, keep) {
  let isTold = false;
  for await (const { step, summary } of steps) {
    // Only now: whoever leaves before would leave steps that were never begun, and so hold the model.
    if (!isTold) {
      yield { type: "response.created", response: { ...response } };
      yield { type: "response.in_progress", response: { ...response } };
      isTold = true;
    }
    if (step) yield* output.push(step);
    if (!summary) continue;
    const isCut = summary.finish === "length";
    const status = isCut ? "incomplete" : "completed";
    yield* output.end(status);
    response.status = status;
    response.incomplete_details = /** @type {any} */ (isCut ? { reason: "max_output_tokens" } : null);
    response.output = output.items;
    response.output_text = output.items.map((item) => (item.type === "message" ? item.content[0].text : "")).join("");
    response.usage = usage(summary);
    keep();
    yield { type: `response.${status}`, response: { ...response } };
  }
}

/** @param {import("./answer.js").Summary} summary */
function usage(summary) {
  const { prompt_tokens, completion_tokens, total_tokens } = usageOf([summary]);
  return {
    input_tokens: prompt_tokens,
    input_tokens_details: { cached_tokens: summary.cachedTokens, cache_write_tokens: 0 },
    output_tokens: completion_tokens,
    output_tokens_details: { reasoning_tokens: summary.reasoningTokens },
    total_tokens,
  };
}

function counter() {
  let next = 0;
  return () => next++;
}

/**
 * @param {AsyncGenerator<import("./responses-output.js").OutputEvent, void, void>} events
 * @param {() => number} number
 * @returns {AsyncGenerator<import("./sse.js").ServerEvent, void, void>}
 */
async function* numbered(events, number) {
  for await (const event of events) yield { event: event.type, data: { ...event, sequence_number: number() } };
}

/**
 * @param {import("./errors.js").ApiError} error
 * @param {ReturnType<typeof begun>} response
 * @param {number} sequence_number
 */
function failed(error, response, sequence_number) {
  const failure = { ...response, status: "failed", error: { code: "server_error", message: error.message } };
  return { event: "response.failed", data: { type: "response.failed", response: failure, sequence_number } };
}
