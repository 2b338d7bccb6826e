// One answer of a model, part by part.

/**
 * @typedef {import("../syntax/reader.js").Part} Part
 * @typedef {{text: string, logprob: number, top: {text: string, logprob: number}[]}} ScoredToken
 */

/**
 * @typedef {object} Summary
 * @property {"stop" | "length" | "tool_calls"} finish
 * @property {number} promptTokens
 * @property {number} cachedTokens
 * @property {number} completionTokens
 * @property {number} reasoningTokens Of the completion's.
 */

/**
 * What was added to an answer: parts, and the tokens with their probabilities where these were asked for.
 * @typedef {{parts: Part[], tokens: ScoredToken[]}} Step
 */

/**
 * @param {import("./models.js").ServedModel} model
 * @param {import("../syntax/prompt.js").Prompt} prompt
 * @param {Record<string, any>} options For `generate`.
 * @returns {AsyncGenerator<{step?: Step, summary?: Summary}, void, void>} Steps, and last the summary. Leaving it ends the
 *   generation.
 */
export async function* answer(model, prompt, options) {
  const reader = prompt.reader();
  let calls = 0;
  let reasoningTokens = 0;
  const step = (/** @type {Part[]} */ parts, /** @type {ScoredToken[]} */ tokens = []) => {
    for (const { type } of parts) if (type === "call") calls += 1;
    return { step: { parts, tokens } };
  };
  const stop = [...(options.stop ?? []), ...prompt.stop]; // see `stops`: there is room for the prompt's own
  const generation = model.generate(prompt.ids, {
    ...options,
    stop,
    ...(prompt.constraint ? { constraint: prompt.constraint } : {}),
  });
  const begun = prompt.seen === "" ? [] : reader.push(prompt.seen);
  if (begun.length > 0) yield step(begun);
  for await (const token of generation.tokens()) {
    if (token.id !== null && reader.thinking) reasoningTokens += 1;
    const text = (token.id === null ? undefined : prompt.tags.get(token.id)) ?? token.text;
    const parts = text === "" ? [] : reader.push(text);
    const isScored = options.logprobs !== undefined && token.id !== null;
    const tokens = isScored ? [await scored(model, token)] : [];
    if (parts.length > 0 || tokens.length > 0) yield step(parts, tokens);
    if (reader.over) break;
  }
  const rest = reader.end();
  if (rest.length > 0) yield step(rest);
  const { finishReason, usage } = await generation.result;
  const isCut = !reader.over && (finishReason === "length" || finishReason === "context");
  yield {
    summary: {
      finish: isCut ? "length" : calls > 0 ? "tool_calls" : "stop",
      promptTokens: usage.promptTokens,
      cachedTokens: usage.cachedTokens,
      completionTokens: usage.completionTokens,
      reasoningTokens,
    },
  };
}

/**
 * A token with its own text: what a generation gives with it is text that is sure, which may have waited for it.
 * @param {import("./models.js").ServedModel} model
 * @param {any} token
 * @returns {Promise<ScoredToken>}
 */
async function scored(model, { id, logprob, top }) {
  const same = top.find((/** @type {{id: number}} */ other) => other.id === id);
  return { text: same ? same.text : await model.detokenize([id], { skipSpecial: false }), logprob, top };
}

/**
 * The options of one of several answers: with a seed each has its own.
 * @param {Record<string, any>} options
 * @param {number} index
 */
export function optionsOf(options, index) {
  return options.seed === undefined ? options : { ...options, seed: (options.seed + index) % 2 ** 53 };
}

/**
 * @param {Summary[]} summaries Those of one request.
 * @param {number} [n] How many answers each prompt had. It counts once.
 */
export function usageOf(summaries, n = 1) {
  const sum = (/** @type {Summary[]} */ of, /** @type {Exclude<keyof Summary, "finish">} */ name) =>
    of.reduce((total, summary) => total + summary[name], 0);
  const firsts = summaries.filter((_, at) => at % n === 0);
  const completion = sum(summaries, "completionTokens");
  const prompt = sum(firsts, "promptTokens");
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: sum(firsts, "cachedTokens") },
    completion_tokens_details: { reasoning_tokens: sum(summaries, "reasoningTokens") },
  };
}

/** @param {string} prefix @returns {string} A new name for something. */
export function newId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {boolean} isShort Whether it has to have nine letters and digits. */
export function newCallId(isShort) {
  return isShort ? newId("").slice(0, 9) : newId("call_");
}

/** Seconds since 1970. */
export const now = () => Math.floor(Date.now() / 1000);

const encoder = new TextEncoder();

/** @param {ScoredToken} token @returns {object} As chat has it. */
export function chatLogprob({ text, logprob, top }) {
  const entry = (/** @type {{text: string, logprob: number}} */ { text, logprob }) => ({
    token: text,
    logprob,
    // A token without text is part of a character, or special.
    bytes: text === "" ? null : [...encoder.encode(text)],
  });
  return { ...entry({ text, logprob }), top_logprobs: top.map(entry) };
}
