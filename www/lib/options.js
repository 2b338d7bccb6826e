// Checks at the boundary: every option has a name, a type and a range, and nothing else is accepted.

import { boolean, callback, check, input, isPlainObject, MAX_U32, number, oneOf, plainObject, signal, url, wrong } from "./checks.js";
import { constraint } from "./constraint.js";
import { biases } from "./logit-bias.js";
import { checkIds, checkMessages, checkPrompt } from "./values.js";

/**
 * @typedef {import("./checks.js").Check} Check
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").SamplingOptions} SamplingOptions
 */

const MAX_STOPS = 16;

/** @type {Check} */
const stops = (value) => {
  const list = typeof value === "string" ? [value] : value;
  const fits =
    Array.isArray(list) &&
    list.length <= MAX_STOPS &&
    list.every((text) => typeof text === "string" && text.length > 0);
  return fits ? { value: [...list] } : { expected: `expected a text or up to ${MAX_STOPS} texts, none of them empty` };
};

const precision = oneOf(["exact", "fast"]);

const SHA_256 = /^sha256-[A-Za-z0-9+/]{43}=$/;

/** @type {Check} */
const integrity = (value) => {
  const isHash = (/** @type {unknown} */ text) => typeof text === "string" && SHA_256.test(text);
  const fits = isHash(value) || (isPlainObject(value) && Object.values(value).every(isHash));
  const expected = 'expected "sha256-" and 44 characters of base64, or an object with such for files by their names';
  return fits ? { value } : { expected };
};

const MAX_BEAMS = 16;
const MAX_LOGPROBS = 20;
const MAX_THREADS = 64;
const MAX_BATCH = 16;

/** As a count: all that there are. */
export const ALL = MAX_U32;

/** @type {Record<string, Check>} */
const loadChecks = {
  backend: oneOf(["auto", "gpu", "cpu"]),
  contextLength: number(2, MAX_U32, { integer: true }),
  quantize: oneOf(["q8_0", "q4_0", "q4_k"]),
  kvCache: oneOf(["f32", "f16", "q8_0"]),
  defaultLimits: boolean,
  threads: number(1, MAX_THREADS, { integer: true }),
  maxBatch: number(1, MAX_BATCH, { integer: true }),
  autotune: boolean,
  cache: oneOf(["auto", "require", "only", "off"]),
  evict: oneOf(["lru"]),
  integrity,
  recover: boolean,
  onProgress: callback,
  signal,
  worker: callback,
  workerUrl: url,
  glueUrl: url,
  wasmUrl: url,
  grammarGlueUrl: url,
  grammarWasmUrl: url,
};

const { worker, workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl } = loadChecks;
const urls = { worker, workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl };

/** @type {Record<string, Check>} */
const samplingChecks = {
  maxNewTokens: number(1, MAX_U32, { integer: true }),
  temperature: number(0, 100),
  topK: number(0, MAX_U32, { integer: true }),
  topP: number(0, 1, { aboveMin: true }),
  minP: number(0, 1),
  repetitionPenalty: number(0, 100, { aboveMin: true }),
  presencePenalty: number(-100, 100),
  frequencyPenalty: number(-100, 100),
  seed: number(0, Number.MAX_SAFE_INTEGER, { integer: true }),
  stop: stops,
  ignoreEos: boolean,
  numBeams: number(1, MAX_BEAMS, { integer: true }),
  lengthPenalty: number(-10, 10),
  earlyStopping: oneOf([true, false, "never"]),
  noRepeatNgramSize: number(0, MAX_U32, { integer: true }),
  minNewTokens: number(0, MAX_U32, { integer: true }),
  precision,
  speculation: oneOf(["auto", "off", "prompt"]),
  logprobs: number(0, MAX_LOGPROBS, { integer: true }),
};

/** @type {Check} */
const language = (value) => (typeof value === "string" ? { value } : { expected: "expected the name of a language" });
/** Of what is translated, and into what. */
const languages = { sourceLanguage: language, targetLanguage: language };

/** @type {Check} */
const unchecked = (value) => ({ value });

/** For `Model` to check: the model that makes drafts, and adapters. @type {Record<string, Check>} */
const callChecks = { signal, onPrefill: callback, draft: unchecked, adapters: unchecked, constraint };
const adapters = unchecked;

/**
 * @param {unknown} options
 * @returns {import("./types.js").LoadOptions & {backend: import("./types.js").Backend}}
 */
export function checkLoadOptions(options) {
  return { backend: "auto", ...checkWorker(check("load", options, loadChecks)) };
}

/**
 * @param {unknown} options
 * @returns {import("./types.js").EstimateOptions}
 */
export function checkEstimateOptions(options) {
  const { contextLength, quantize, kvCache, cache, signal } = loadChecks;
  return checkWorker(check("estimate", options, { contextLength, quantize, kvCache, cache, signal, ...urls }));
}

/** @template {Record<string, any>} T @param {T} options @returns {T} */
function checkWorker(options) {
  if (options.worker && options.workerUrl) throw input("worker", "expected a worker or a workerUrl, not both", options.workerUrl);
  return options;
}

/**
 * @param {import("./types.js").LoadOptions} options
 * @returns {import("./types.js").EstimateOptions} Those that an estimate of the load takes.
 */
export function estimateOptionsOf({ contextLength, quantize, kvCache, cache, signal, ...rest }) {
  const { worker, workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl } = rest;
  const own = { contextLength, quantize, kvCache, cache, signal };
  return { ...own, worker, workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl };
}

/**
 * @typedef {object} CheckedCall
 * @property {SamplingOptions} sampling
 * @property {AbortSignal} [signal]
 * @property {(progress: {done: number, total: number}) => void} [onPrefill]
 * @property {unknown} [draft]
 * @property {import("./constraint.js").WireConstraint} [constraint]
 * @property {unknown} [adapters]
 */

/** @param {unknown} options @param {number} nVocab @returns {CheckedCall} */
export function checkGenerateOptions(options, nVocab) {
  const checks = { ...samplingChecks, ...callChecks, parseSpecial: boolean, logitBias: biases(nVocab), ...languages };
  return splitCall(check("generate", options, checks));
}

/** @param {unknown} options @param {number} nVocab @returns {CheckedCall & {template: Record<string, unknown>}} */
export function checkChatOptions(options, nVocab) {
  const { template = {}, ...rest } = check("chat", options, {
    ...samplingChecks,
    ...callChecks,
    template: plainObject,
    logitBias: biases(nVocab),
  });
  return { ...splitCall(rest), template };
}

/**
 * @typedef {object} CheckedSession
 * @property {Message[]} [messages]
 * @property {string | Uint32Array} [text]
 * @property {Record<string, unknown>} template
 * @property {"error" | "shift" | "evict"} overflow
 * @property {(messages: Message[]) => void} [onEvict]
 */

/** @param {unknown} options @param {number} nVocab @returns {CheckedSession} */
export function checkSessionOptions(options, nVocab) {
  const any = (/** @type {unknown} */ value) => ({ value });
  const checks = { messages: any, text: any, template: plainObject, overflow: oneOf(["error", "shift", "evict"]) };
  const given = /** @type {CheckedSession} */ ({
    template: {},
    overflow: "error",
    ...check("session", options, { ...checks, onEvict: callback }),
  });
  const { messages, text, overflow } = given;
  if (messages !== undefined && text !== undefined) {
    throw input("session options", "expected messages or a text, not both", options);
  }
  if (overflow === (text === undefined ? "shift" : "evict")) {
    const kind = text === undefined ? 'a conversation: "error" or "evict"' : 'a text: "error" or "shift"';
    throw input("overflow", `expected for ${kind}`, overflow);
  }
  const isEmpty = text === "" || (Array.isArray(messages) && messages.length === 0);
  return {
    ...given,
    ...(messages === undefined ? {} : { messages: isEmpty ? [] : checkMessages(messages) }),
    ...(text === undefined ? {} : { text: isEmpty ? "" : checkPrompt(text, nVocab) }),
  };
}

/** @param {string} call @param {unknown} options @param {number} nVocab @returns {CheckedCall} */
export function checkSessionCall(call, options, nVocab) {
  const { draft: _, ...checks } = callChecks;
  return splitCall(check(call, options, { ...samplingChecks, ...checks, logitBias: biases(nVocab) }));
}

/** @param {unknown} options @returns {{onEvict?: (messages: Message[]) => void}} */
export function checkRestoreOptions(options) {
  return check("restoreSession", options, { onEvict: callback });
}

/** @param {unknown} options @returns {{addSpecial: boolean, parseSpecial: boolean}} */
export function checkTokenizeOptions(options) {
  return {
    addSpecial: true,
    parseSpecial: false,
    ...check("tokenize", options, { addSpecial: boolean, parseSpecial: boolean }),
  };
}

/** @param {unknown} options @returns {{skipSpecial: boolean}} */
export function checkDetokenizeOptions(options) {
  return { skipSpecial: true, ...check("detokenize", options, { skipSpecial: boolean }) };
}

/**
 * @param {unknown} options
 * @param {number} nVocab
 * @returns {{tokenTypes?: Uint32Array, decoderIds?: Uint32Array, precision?: import("./types.js").Precision,
 *   adapters?: unknown}}
 */
export function checkLogitsOptions(options, nVocab) {
  const { tokenTypes, decoderIds, ...rest } = check("logits", options, {
    tokenTypes: unchecked,
    decoderIds: unchecked,
    precision,
    adapters,
  });
  return {
    ...rest,
    tokenTypes: tokenTypes === undefined ? undefined : checkIds("tokenTypes", tokenTypes, MAX_U32),
    decoderIds:
      decoderIds === undefined ? undefined : checkIds("decoderIds", decoderIds, nVocab, { mayBeEmpty: false }),
  };
}

/** @param {unknown} options @returns {Omit<import("./types.js").EmbedOptions, "adapters"> & {adapters?: unknown}} */
export function checkEmbedOptions(options) {
  return check("embed", options, {
    pooling: oneOf(["mean", "cls", "last"]),
    normalize: boolean,
    dimensions: number(1, MAX_U32, { integer: true }),
    adapters,
  });
}

const topK = number(1, MAX_U32, { integer: true });

/** @param {string} call @param {unknown} options @returns {{topK?: number, adapters?: unknown}} */
export function checkTopK(call, options) {
  return check(call, options, { topK, adapters });
}

/** @param {unknown} options @returns {{topK?: number, maxAnswerLength?: number, adapters?: unknown}} */
export function checkAnswerOptions(options) {
  return check("answer", options, { topK, maxAnswerLength: number(1, MAX_U32, { integer: true }), adapters });
}

/** @param {unknown} options @returns {{aggregation: string, adapters?: unknown}} */
export function checkTagOptions(options) {
  const aggregation = oneOf(["none", "simple", "first"]);
  return { aggregation: "simple", ...check("tag", options, { aggregation, adapters }) };
}

/** @param {unknown} options @returns {{adapters?: unknown}} */
export function checkScoreOptions(options) {
  return check("score", options, { adapters });
}

/** @type {Check} */
const name = (value) =>
  typeof value === "string" && value.trim() !== "" ? { value } : { expected: "expected a text that is not empty" };

/** @param {unknown} options @returns {import("./types.js").AdapterOptions} */
export function checkAdapterOptions(options) {
  return check("loadAdapter", options, { name, signal, onProgress: callback });
}

/** @param {unknown} options @returns {Record<string, unknown>} */
export function checkTemplateOptions(options) {
  if (!isPlainObject(options)) throw input("chatPrompt options", "expected an object of named values", options);
  return options;
}

/** @param {Record<string, any>} checked @returns {CheckedCall} */
function splitCall({ signal, onPrefill, draft, adapters, constraint, ...sampling }) {
  const given = /** @type {Partial<SamplingOptions>} */ (sampling);
  const against = [["draft", draft !== undefined], ["numBeams", (given.numBeams ?? 1) > 1], ["ignoreEos", given.ignoreEos]];
  const [other] = against.find(([, isSo]) => constraint !== undefined && isSo) ?? [];
  if (other !== undefined) {
    throw wrong("constraint", `a text that is held to a structure is drawn token by token and ends with it: leave ${other} out`);
  }
  return { sampling: { stop: [], seed: randomSeed(), ...given }, signal, onPrefill, draft, adapters, constraint };
}

function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}
