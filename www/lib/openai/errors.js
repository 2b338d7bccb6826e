// Failures as OpenAI's clients know them: an HTTP status and `{error: {message, type, param, code}}`.

import { IntabError } from "../errors.js";
import { isGone } from "../gone.js";

/** What the API answers with instead of a result. */
export class ApiError extends Error {
  name = "ApiError";

  /**
   * @param {number} status The HTTP status.
   * @param {string} message What is wrong and what to do.
   * @param {{type?: string, param?: string | null, code?: string | null}} [details] `param` names the part of the request
   *   that is at fault, as `messages[0].content`; `code` is a short name for programs.
   */
  constructor(status, message, { type = typeOf(status), param = null, code = null } = {}) {
    super(message);
    this.status = status;
    this.type = type;
    this.param = param;
    this.code = code;
  }

  /** The body in OpenAI's shape. */
  get body() {
    const { message, type, param, code } = this;
    return { error: { message, type, param, code } };
  }
}

/** @param {number} status */
function typeOf(status) {
  return status >= 500 ? "server_error" : "invalid_request_error";
}

/** @param {string} param @param {string} problem @param {string} [code] */
export function invalid(param, problem, code = "invalid_value") {
  return new ApiError(400, `${param}: ${problem}`, { param, code });
}

/** @param {string} param @param {string} [why] */
export function unsupported(param, why = "it is not supported here") {
  return invalid(param, `${why}; leave it out`, "unsupported_parameter");
}

/**
 * Which parameter of a request an option of the model comes from, where the names differ.
 * @type {Record<string, string>}
 */
const PARAMS = {
  maxNewTokens: "max_completion_tokens",
  minNewTokens: "min_tokens",
  topK: "top_k",
  topP: "top_p",
  minP: "min_p",
  repetitionPenalty: "repetition_penalty",
  presencePenalty: "presence_penalty",
  frequencyPenalty: "frequency_penalty",
  ignoreEos: "ignore_eos",
  logitBias: "logit_bias",
  logprobs: "top_logprobs",
};

/**
 * The parameter that an error of the engine is about.
 * @param {unknown} what As the engine names it.
 * @param {string} input
 * @param {string | null} constraint
 */
function paramOf(what, input, constraint) {
  if (typeof what !== "string") return null;
  if (/constraint|schema/i.test(what)) return constraint;
  if (what === "prompt" || what === "texts") return input;
  return PARAMS[what] ?? (/^[a-z_]+$/.test(what) ? what : null);
}

/**
 * An error of the engine as the API tells it.
 * @param {unknown} error
 * @param {string} [input] The parameter that the prompt was made of.
 * @param {string | null} [constraint] The one that says what form an answer has to have.
 * @returns {ApiError}
 */
export function asApiError(error, input = "messages", constraint = null) {
  if (error instanceof ApiError) return error;
  if (!(error instanceof Error)) return new ApiError(500, String(error));
  const named = paramOf(error instanceof IntabError ? error.details.what : undefined, input, constraint);
  switch (error.name) {
    case "ContextFullError":
      return new ApiError(400, error.message, { param: input, code: "context_length_exceeded" });
    case "InputError":
      return new ApiError(400, error.message, { param: named, code: "invalid_value" });
    case "UnsupportedError":
      // While text is made, only what holds it may turn out so.
      return new ApiError(400, error.message, { param: constraint, code: "unsupported_value" });
    case "TemplateError":
    case "TokenizerError":
      return new ApiError(400, error.message, { param: input, code: "invalid_prompt" });
    case "OutOfMemoryError":
      return new ApiError(503, error.message, { code: "out_of_memory" });
  }
  if (isGone(error)) return new ApiError(503, error.message, { code: "model_unavailable" });
  return new ApiError(500, error.message);
}

/**
 * The error of a load as the API tells it: whatever it was, the model cannot be had now.
 * @param {string} id
 * @param {unknown} error
 */
export function loadFailure(id, error) {
  const problem = error instanceof Error ? error.message : String(error);
  const failure = new ApiError(503, `the model ${JSON.stringify(id)} could not be loaded: ${problem}`, {
    code: "model_load_failed",
  });
  failure.cause = error;
  return failure;
}
