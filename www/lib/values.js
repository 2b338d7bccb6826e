// Checks of what functions are given besides options.

import { input, isPlainObject, MAX_U32, number, resolve, url } from "./checks.js";

/**
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").WireSource} WireSource
 */

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

/** @param {unknown} value One text or several. @returns {string[]} */
export function checkTexts(value) {
  const list = typeof value === "string" ? [value] : value;
  const fits = Array.isArray(list) && list.length > 0 && list.every((text) => typeof text === "string");
  if (!fits) throw input("texts", "expected a string or an array of at least one", value);
  return [...list];
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
