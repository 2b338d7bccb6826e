// What the attributes of the element say, in the names of the library's options.

import { input, oneOf } from "../checks.js";

/** Attributes that shape what is written. @type {Record<string, string>} */
const WRITING = {
  "max-tokens": "maxNewTokens",
  temperature: "temperature",
  "top-k": "topK",
  "top-p": "topP",
  "min-p": "minP",
  "repetition-penalty": "repetitionPenalty",
  seed: "seed",
};

/** Attributes that shape how the model is loaded. @type {Record<string, string>} */
const LOADING = { backend: "backend", "context-length": "contextLength", quantize: "quantize", "kv-cache": "kvCache", cache: "cache" };

const NUMBERS = [...Object.keys(WRITING), "context-length"];

/** Attributes whose change loads the model anew. */
export const RELOADING = ["model", "load", ...Object.keys(LOADING)];

/** All that the element looks at. */
export const ATTRIBUTES = [...RELOADING, ...Object.keys(WRITING), "system", "placeholder", "label", "theme", "markdown-url"];

const themes = oneOf(["light", "dark", "auto"]);
const moments = oneOf(["auto", "click"]);

/** @param {HTMLElement} host @returns {Record<string, string | number>} */
export function writingOptions(host) {
  return named(host, WRITING);
}

/** @param {HTMLElement} host @returns {Record<string, string | number>} */
export function loadingOptions(host) {
  return named(host, LOADING);
}

/** When the model is loaded. @param {HTMLElement} host @returns {"auto" | "click"} Throws `InputError` for others. */
export function moment(host) {
  choice(host, "theme", themes);
  return choice(host, "load", moments) ?? "auto";
}

/** @param {HTMLElement} host @param {string} name @param {import("../checks.js").Check} check */
function choice(host, name, check) {
  const value = host.getAttribute(name);
  if (value === null) return null;
  const outcome = check(value);
  if ("expected" in outcome) throw input(name, outcome.expected, value);
  return outcome.value;
}

/** @param {HTMLElement} host @param {Record<string, string>} names */
function named(host, names) {
  /** @type {Record<string, string | number>} */
  const options = {};
  for (const [attribute, name] of Object.entries(names)) {
    const value = host.getAttribute(attribute);
    if (value === null) continue;
    const number = value.trim() === "" ? NaN : Number(value);
    if (!NUMBERS.includes(attribute)) options[name] = value;
    else if (Number.isNaN(number)) throw input(attribute, "expected a number", value);
    else options[name] = number;
  }
  return options;
}
