// Checks at the boundary: every option has a name, a type and a range, and nothing else is accepted.

import { constraint } from "./constraint.js";
import { InputError } from "./errors.js";
import { biases } from "./logit-bias.js";

/**
 * @typedef {import("./types.js").Source} Source
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").SamplingOptions} SamplingOptions
 * @typedef {import("./types.js").WireSource} WireSource
 */

/**
 * A check takes the value and gives it normalised, or the words for what was expected.
 * @typedef {(value: any) => {value: any} | {expected: string}} Check
 */

/**
 * @param {number} min
 * @param {number} max
 * @param {{integer?: boolean, aboveMin?: boolean}} [kind] `aboveMin` leaves out `min` itself.
 * @returns {Check}
 */
function number(min, max, { integer = false, aboveMin = false } = {}) {
  const from = aboveMin ? `above ${min}, up to ${max}` : `from ${min} to ${max}`;
  const expected = `expected ${integer ? "an integer" : "a number"} ${from}`;
  return (value) => {
    const fits =
      typeof value === "number" &&
      (integer ? Number.isInteger(value) : Number.isFinite(value)) &&
      (aboveMin ? value > min : value >= min) &&
      value <= max;
    return fits ? { value } : { expected };
  };
}

/** @type {Check} */
const boolean = (value) => (typeof value === "boolean" ? { value } : { expected: "expected true or false" });

/** @type {Check} */
const callback = (value) => (typeof value === "function" ? { value } : { expected: "expected a function" });

/** @type {Check} */
const signal = (value) => (value instanceof AbortSignal ? { value } : { expected: "expected an AbortSignal" });

/** @type {Check} */
const plainObject = (value) => (isPlainObject(value) ? { value } : { expected: "expected an object of named values" });

/** @type {Check} */
const url = (value) => {
  const href = typeof value === "string" || value instanceof URL ? resolve(value) : null;
  return href === null ? { expected: "expected a URL" } : { value: href };
};

/** @param {readonly (string | boolean)[]} names @returns {Check} */
function oneOf(names) {
  const expected = `expected one of ${names.map((name) => JSON.stringify(name)).join(", ")}`;
  return (value) => (names.includes(value) ? { value } : { expected });
}

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

const MAX_U32 = 2 ** 32 - 1;
const MAX_BEAMS = 16;
const MAX_LOGPROBS = 20;
const MAX_THREADS = 64;

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
  autotune: boolean,
  cache: oneOf(["auto", "require", "only", "off"]),
  evict: oneOf(["lru"]),
  integrity,
  onProgress: callback,
  signal,
  workerUrl: url,
  glueUrl: url,
  wasmUrl: url,
  grammarGlueUrl: url,
  grammarWasmUrl: url,
};

const { workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl } = loadChecks;
const urls = { workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl };

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
const unchecked = (value) => ({ value });

/** For `Model` to check: the model that makes drafts, and adapters. @type {Record<string, Check>} */
const callChecks = { signal, onPrefill: callback, draft: unchecked, adapters: unchecked, constraint };
const adapters = unchecked;

/**
 * @param {unknown} options
 * @returns {import("./types.js").LoadOptions & {backend: import("./types.js").Backend}}
 */
export function checkLoadOptions(options) {
  return { backend: "auto", ...check("load", options, loadChecks) };
}

/**
 * @param {unknown} options
 * @returns {import("./types.js").EstimateOptions}
 */
export function checkEstimateOptions(options) {
  const { contextLength, quantize, kvCache, cache, signal } = loadChecks;
  return check("estimate", options, { contextLength, quantize, kvCache, cache, signal, ...urls });
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
  const checks = { ...samplingChecks, ...callChecks, parseSpecial: boolean, logitBias: biases(nVocab) };
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

/** @param {string} what @param {unknown} value @returns {number} */
export function checkCount(what, value) {
  const outcome = number(0, MAX_U32, { integer: true })(value);
  if ("expected" in outcome) throw input(what, outcome.expected, value);
  return outcome.value;
}

/** @param {unknown} value @returns {Uint8Array} */
export function checkBytes(value) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw input("bytes", "expected a Uint8Array or an ArrayBuffer", value);
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

/** @param {unknown} value One text or several. @returns {string[]} */
export function checkTexts(value) {
  const list = typeof value === "string" ? [value] : value;
  const fits = Array.isArray(list) && list.length > 0 && list.every((text) => typeof text === "string");
  if (!fits) throw input("texts", "expected a string or an array of at least one", value);
  return [...list];
}

/** @param {unknown} options @returns {Record<string, unknown>} */
export function checkTemplateOptions(options) {
  if (!isPlainObject(options)) throw input("chatPrompt options", "expected an object of named values", options);
  return options;
}

/** @param {string} what @param {unknown} value @returns {string} */
export function checkText(what, value) {
  if (typeof value !== "string") throw input(what, "expected a string", value);
  return value;
}

/**
 * @param {string} what
 * @param {unknown} value A `Uint32Array` or an array of numbers.
 * @param {number} nVocab Every id must be below it.
 * @param {{mayBeEmpty?: boolean}} [rules]
 * @returns {Uint32Array} A copy.
 */
export function checkIds(what, value, nVocab, { mayBeEmpty = true } = {}) {
  if (!(value instanceof Uint32Array || Array.isArray(value))) {
    throw input(what, "expected a Uint32Array or an array of token ids", value);
  }
  if (value.length === 0 && !mayBeEmpty) throw input(what, "expected at least one token id", value);
  for (const [at, id] of value.entries()) {
    const fits = Number.isInteger(id) && id >= 0 && id < nVocab;
    if (!fits) throw input(`${what}[${at}]`, `expected a token id from 0 to ${nVocab - 1}`, id);
  }
  return Uint32Array.from(value);
}

/**
 * @param {unknown} prompt
 * @param {number} nVocab
 * @returns {string | Uint32Array}
 */
export function checkPrompt(prompt, nVocab) {
  if (typeof prompt === "string") return prompt;
  if (!(prompt instanceof Uint32Array || Array.isArray(prompt)) || prompt.length === 0) {
    throw input("prompt", "expected a string, or a Uint32Array or an array of at least one token id", prompt);
  }
  return checkIds("prompt", prompt, nVocab);
}

/** @param {unknown} messages @returns {Message[]} */
export function checkMessages(messages) {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw input("messages", "expected an array of at least one {role, content}", messages);
  }
  return messages.map((message, at) => {
    const what = `messages[${at}]`;
    if (!isPlainObject(message)) throw input(what, "expected {role, content}", message);
    // What else a message has (tool_calls, name, …) is the template's to read.
    const { content } = message;
    const isContent = typeof content === "string" || content == null || Array.isArray(content);
    if (!isContent) throw input(`${what}.content`, "expected a string, or an array of parts", content);
    return { ...message, role: checkText(`${what}.role`, message.role), content: content ?? null };
  });
}

/**
 * @param {unknown} value The address of a file or of a model, as for `load`.
 * @returns {string}
 */
export function checkAddress(value) {
  const outcome = url(value);
  if ("expected" in outcome) throw input("url", outcome.expected, value);
  return outcome.value;
}

/**
 * @param {unknown} source
 * @returns {WireSource} A URL comes out absolute, since the worker's base is not the page's; a file with its path, which
 *   some browsers do not send along with it.
 */
export function checkSource(source) {
  if (typeof source === "string" || source instanceof URL) {
    const href = source === "" ? null : resolve(source);
    if (href === null) throw input("source", "expected a URL that can be resolved from this page", String(source));
    return href;
  }
  const isFile = source instanceof File;
  if (!isFile && (source instanceof Blob || source instanceof ArrayBuffer || source instanceof Uint8Array)) return source;
  const isList = Array.isArray(source) || (typeof FileList !== "undefined" && source instanceof FileList);
  const given = isList ? Array.from(/** @type {Iterable<unknown>} */ (source)) : isFile ? [source] : [];
  const files = given.map(withPath);
  if (files.length === 0 || !files.every((file) => file !== null)) {
    throw input(
      "source",
      "expected a URL, a File or Blob, an array of Files or of {path, file}, an ArrayBuffer or a Uint8Array",
      source,
    );
  }
  return /** @type {import("./types.js").NamedFile[]} */ (files);
}

/** @param {unknown} entry @returns {import("./types.js").NamedFile | null} */
function withPath(entry) {
  if (entry instanceof File) return { path: entry.webkitRelativePath || entry.name, file: entry };
  if (!isPlainObject(entry)) return null;
  const { path, file } = entry;
  return typeof path === "string" && path !== "" && file instanceof Blob ? { path, file } : null;
}

/**
 * @param {string} call The function whose options these are.
 * @param {unknown} options
 * @param {Record<string, Check>} checks
 * @returns {Record<string, any>} The options that are given, normalised.
 */
function check(call, options, checks) {
  if (!isPlainObject(options)) throw input(`${call} options`, "expected an object", options);
  /** @type {Record<string, unknown>} */
  const checked = {};
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(checks, name)) throw unknownName(`${call} options`, name, Object.keys(checks));
    if (value === undefined) continue;
    const outcome = checks[name](value);
    if ("expected" in outcome) throw input(name, outcome.expected, value);
    checked[name] = outcome.value;
  }
  return checked;
}

/** @param {Record<string, any>} checked @returns {CheckedCall} */
function splitCall({ signal, onPrefill, draft, adapters, constraint, ...sampling }) {
  const given = /** @type {Partial<SamplingOptions>} */ (sampling);
  const against = [["draft", draft !== undefined], ["numBeams", (given.numBeams ?? 1) > 1], ["ignoreEos", given.ignoreEos]];
  const [other] = against.find(([, isSo]) => constraint !== undefined && isSo) ?? [];
  if (other !== undefined) {
    const problem = `a text that is held to a structure is drawn token by token and ends with it: leave ${other} out`;
    throw new InputError(`constraint: ${problem}`, { what: "constraint", problem });
  }
  return { sampling: { stop: [], seed: randomSeed(), ...given }, signal, onPrefill, draft, adapters, constraint };
}

function randomSeed() {
  return crypto.getRandomValues(new Uint32Array(1))[0];
}

/** @param {unknown} value @returns {value is Record<string, unknown>} */
function isPlainObject(value) {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @param {string | URL} value @returns {string | null} */
function resolve(value) {
  try {
    return new URL(value, globalThis.document?.baseURI ?? globalThis.location?.href).href;
  } catch {
    return null;
  }
}

/** @param {string} what @param {string} expected @param {unknown} value */
function input(what, expected, value) {
  const problem = `${expected}, got ${describe(value)}`;
  return new InputError(`${what}: ${problem}`, { what, problem });
}

/** @param {string} what @param {string} name @param {string[]} known */
function unknownName(what, name, known) {
  const problem = `unknown name "${name}"; known are ${known.join(", ")}`;
  return new InputError(`${what}: ${problem}`, { what, problem });
}

/** @param {unknown} value @returns {string} A short text for a message; never throws. */
function describe(value) {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "function") return "a function";
  return String(value);
}
