// The parameters that change how text is made, the same at every endpoint that makes some.

import { boolean, integer, logitBias, number, stops } from "./checks.js";
import { invalid } from "./errors.js";

const MAX_U32 = 2 ** 32 - 1;

/** How many choices a request may ask for. */
const MAX_CHOICES = 128;

/**
 * A parameter and the option of `model.generate` that it sets. `top_k`, `min_p`, `repetition_penalty`, `min_tokens` and
 * `ignore_eos` are not OpenAI's; they are named as in vLLM and llama.cpp.
 * @type {Record<string, {check: import("./checks.js").Check, option: string}>}
 */
const parameters = {
  temperature: { check: number(0, 2), option: "temperature" },
  top_p: { check: number(0, 1, { aboveMin: true }), option: "topP" },
  top_k: { check: integer(0, MAX_U32), option: "topK" },
  min_p: { check: number(0, 1), option: "minP" },
  frequency_penalty: { check: number(-2, 2), option: "frequencyPenalty" },
  presence_penalty: { check: number(-2, 2), option: "presencePenalty" },
  repetition_penalty: { check: number(0, 100, { aboveMin: true }), option: "repetitionPenalty" },
  logit_bias: { check: logitBias, option: "logitBias" },
  seed: { check: integer(0, Number.MAX_SAFE_INTEGER), option: "seed" },
  stop: { check: stops, option: "stop" },
  max_tokens: { check: integer(1, MAX_U32), option: "maxNewTokens" },
  max_completion_tokens: { check: integer(1, MAX_U32), option: "maxNewTokens" },
  max_output_tokens: { check: integer(1, MAX_U32), option: "maxNewTokens" },
  min_tokens: { check: integer(0, MAX_U32), option: "minNewTokens" },
  ignore_eos: { check: boolean, option: "ignoreEos" },
};

/** Asks how many answers. */
export const choices = integer(1, MAX_CHOICES);

/** @param {readonly string[]} names @returns {Record<string, import("./checks.js").Check>} */
export function samplingChecks(names) {
  return Object.fromEntries(names.map((name) => [name, parameters[name].check]));
}

/**
 * @param {Record<string, any>} checked A request's parameters.
 * @returns {Record<string, any>} Options for `model.generate`.
 */
export function samplingOptions(checked) {
  const { max_tokens: old, max_completion_tokens: now } = checked;
  if (old !== undefined && now !== undefined && old !== now) {
    throw invalid("max_tokens", "it is another name for max_completion_tokens, which says something else");
  }
  /** @type {Record<string, any>} */
  const options = {};
  for (const [name, { option }] of Object.entries(parameters)) {
    if (checked[name] !== undefined) options[option] = checked[name];
  }
  return options;
}

/** The names of all but the limits of length, which differ between endpoints. */
export const SAMPLING = [
  "temperature",
  "top_p",
  "top_k",
  "min_p",
  "frequency_penalty",
  "presence_penalty",
  "repetition_penalty",
  "logit_bias",
  "seed",
  "stop",
  "min_tokens",
  "ignore_eos",
];
