// POST /v1/completions

import { newId, now, usageOf } from "./answer.js";
import { PlainReader } from "../syntax/reader.js";
import { boolean, check, integer, required, string } from "./checks.js";
import { streamOptions } from "./chat.js";
import { invalid } from "./errors.js";
import { jsonResponse } from "./json-response.js";
import { tooLong } from "./prompt.js";
import { fingerprint, generate, servedBy, streamResponse } from "./run.js";
import { choices, SAMPLING, samplingChecks, samplingOptions } from "./sampling.js";
import { checkIds, isIds, texts } from "./inputs.js";

/** OpenAI's own default here, which clients know. */
const MAX_TOKENS = 16;

const checks = {
  model: string,
  prompt: texts,
  ...samplingChecks([...SAMPLING, "max_tokens"]),
  n: choices,
  logprobs: integer(0, 20),
  echo: boolean,
  stream: boolean,
  stream_options: streamOptions,
};

const refused = ["best_of", "suffix", "user"];

/** @param {import("./run.js").Exchange} exchange @returns {Promise<Response>} */
export async function completions(exchange) {
  const given = check(exchange.body, checks, { refused });
  const model = required(given, "model");
  /** @type {(string | number[])[]} */
  const inputs = required(given, "prompt");
  if (given.echo && given.logprobs !== undefined)
    throw invalid("logprobs", "it is not supported with echo", "unsupported_parameter");
  if (given.stream_options && !given.stream) throw invalid("stream_options", "it is only allowed with stream: true");
  const n = given.n ?? 1;
  const scored = given.logprobs === undefined ? {} : { logprobs: given.logprobs };
  const options = { maxNewTokens: MAX_TOKENS, ...samplingOptions(given), ...scored };
  const wanted = { model, input: "prompt", n, options };
  /** @type {string[]} */
  const echoes = [];
  const run = await generate(exchange, wanted, async (served) => {
    const prompts = [];
    for (const [at, input] of inputs.entries()) {
      const { nVocab, contextLength } = served.info;
      const ids = isIds(input) ? checkIds(input, nVocab, `prompt[${at}]`) : await served.tokenize(input);
      if (ids.length > contextLength) throw tooLong(ids.length, contextLength, "prompt");
      echoes.push(!given.echo ? "" : isIds(input) ? await served.detokenize(ids) : input);
      prompts.push({ ids, seen: "", reader: () => new PlainReader(), stop: [], tags: new Map(), shortIds: false });
    }
    return prompts;
  });
  const about = {
    id: newId("cmpl-"),
    object: "text_completion",
    created: now(),
    model,
    system_fingerprint: fingerprint(run.model),
  };
  const steps = added(run.steps, (index) => echoes[Math.floor(index / n)]);
  const headers = servedBy(run.model);
  if (!given.stream) return jsonResponse(await whole(steps, about, { n, length: inputs.length * n }), headers);
  return streamResponse(
    chunks(steps, about, n, given.stream_options?.include_usage === true),
    exchange.request,
    headers,
  );
}

/**
 * @typedef {{tokens: string[], token_logprobs: number[], top_logprobs: Record<string, number>[], text_offset: number[]}}
 *   Scores As OpenAI's older models had them.
 * @typedef {{index: number, text: string, logprobs: Scores | null, summary?: import("./answer.js").Summary}} Added
 */

/**
 * @param {AsyncGenerator<import("./run.js").ChoiceStep, void, void>} steps
 * @param {(index: number) => string} echo What an answer's text begins with.
 * @returns {AsyncGenerator<Added, void, void>}
 */
async function* added(steps, echo) {
  let begun = -1;
  let offset = 0;
  for await (const { index, step, summary } of steps) {
    if (index > begun) {
      begun = index;
      offset = 0;
      if (echo(index) !== "") yield { index, text: echo(index), logprobs: null };
    }
    if (summary) yield { index, text: "", logprobs: null, summary };
    if (!step) continue;
    const text = step.parts.map((part) => (part.type === "content" ? part.text : "")).join("");
    if (text === "" && step.tokens.length === 0) continue;
    /** @type {Scores} */
    const scores = { tokens: [], token_logprobs: [], top_logprobs: [], text_offset: [] };
    for (const { text, logprob, top } of step.tokens) {
      scores.tokens.push(text);
      scores.token_logprobs.push(logprob);
      scores.top_logprobs.push(Object.fromEntries(top.map(({ text, logprob }) => [text, logprob])));
      scores.text_offset.push(offset);
      offset += text.length;
    }
    yield { index, text, logprobs: step.tokens.length > 0 ? scores : null };
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
  const summaries = [];
  for await (const { index, text, logprobs, summary } of steps) {
    if (summary) summaries.push(summary);
    const choice = { index, text, logprobs, finish_reason: summary?.finish ?? null };
    yield { data: { ...about, choices: [choice] } };
  }
  if (withUsage) yield { data: { ...about, choices: [], usage: usageOf(summaries, n) } };
  yield { data: "[DONE]" };
}

/**
 * @param {AsyncGenerator<Added, void, void>} steps
 * @param {object} about
 * @param {{n: number, length: number}} count Answers to a prompt, and all of them.
 */
async function whole(steps, about, { n, length }) {
  const choices = Array.from({ length }, (_, index) => ({
    index,
    text: "",
    logprobs: /** @type {Scores | null} */ (null),
    finish_reason: /** @type {string | undefined} */ (undefined),
  }));
  const summaries = [];
  for await (const { index, text, logprobs, summary } of steps) {
    const choice = choices[index];
    choice.text += text;
    choice.finish_reason = summary?.finish;
    choice.logprobs = joined(choice.logprobs, logprobs);
    if (summary) summaries.push(summary);
  }
  return { ...about, choices, usage: usageOf(summaries, n) };
}

/** @param {Scores | null} a @param {Scores | null} b @returns {Scores | null} */
function joined(a, b) {
  if (!a || !b) return a ?? b;
  return {
    tokens: [...a.tokens, ...b.tokens],
    token_logprobs: [...a.token_logprobs, ...b.token_logprobs],
    top_logprobs: [...a.top_logprobs, ...b.top_logprobs],
    text_offset: [...a.text_offset, ...b.text_offset],
  };
}
