// What a page passes to the polyfill: every option has a name and a type, and nothing else is accepted.

import { MemoryBudget } from "../budget.js";
import { isPlainObject, wrong } from "../checks.js";
import { checkSource } from "../values.js";
import { canonicalTags } from "./languages.js";
import { isModel } from "./provider.js";
import { isStored as inStorage } from "./stored.js";

/**
 * @typedef {import("./types.js").Detector} Detector
 * @typedef {import("./types.js").ModelChoice} ModelChoice
 * @typedef {import("./types.js").PolyfillOptions} PolyfillOptions
 * @typedef {import("./types.js").TranslatorChoice} TranslatorChoice
 */

/**
 * @typedef {object} Checked
 * @property {ModelChoice} [model]
 * @property {ModelChoice} [summarizer]
 * @property {TranslatorChoice} translator
 * @property {Detector} [detector] Either this or `classifier`, or none.
 * @property {ModelChoice} [classifier]
 * @property {readonly string[]} [languages] Canonical tags.
 * @property {boolean} userActivation
 * @property {(choice: ModelChoice) => boolean | Promise<boolean>} isStored
 * @property {MemoryBudget} budget
 */

const NAMES = [
  ...["model", "summarizer", "translator", "languageDetector", "languages", "userActivation", "isStored"],
  "memoryBudget",
];

/** @param {unknown} options @returns {Checked} */
export function checkPolyfillOptions(options) {
  const given = /** @type {PolyfillOptions} */ (named("polyfill options", options, NAMES));
  const { model, summarizer = model, translator, languageDetector, languages } = given;
  const { userActivation = true, isStored = inStorage, memoryBudget } = given;
  if (typeof userActivation !== "boolean") throw wrong("userActivation", "expected true or false");
  if (typeof isStored !== "function") throw wrong("isStored", "expected a function");
  return {
    model: choice("model", model),
    summarizer: choice("summarizer", summarizer),
    translator: translatorChoice(translator),
    ...(isDetector(languageDetector)
      ? { detector: checkedDetector(languageDetector) }
      : { classifier: choice("languageDetector", languageDetector) }),
    languages: tags("languages", languages),
    userActivation,
    isStored,
    budget: new MemoryBudget(memoryBudget),
  };
}

/**
 * @param {unknown} options
 * @returns {{force: boolean, rest: object}} `rest` is for `checkPolyfillOptions`.
 */
export function checkInstallOptions(options) {
  const { force = false, ...rest } = named("polyfill options", options, ["force", ...NAMES]);
  if (typeof force !== "boolean") throw wrong("force", "expected true or false");
  return { force, rest };
}

/**
 * @param {string} what
 * @param {unknown} value
 * @returns {ModelChoice | undefined}
 */
function choice(what, value) {
  const given = /** @type {ModelChoice | undefined} */ (value);
  if (given === undefined || typeof given === "function" || isModel(given)) return given;
  try {
    checkSource(given);
    return given;
  } catch (error) {
    const { message } = /** @type {Error} */ (error);
    throw wrong(what, `expected a model, a function that loads one, or what load takes: ${message}`);
  }
}

/**
 * @param {PolyfillOptions["translator"]} given
 * @returns {TranslatorChoice}
 */
function translatorChoice(given) {
  if (!isPlainObject(given) || isModel(given)) return { model: choice("translator", given) };
  const { model, pairs, prompt } = named("translator", given, ["model", "pairs", "prompt"]);
  if (prompt !== undefined && typeof prompt !== "function") throw wrong("translator.prompt", "expected a function");
  const list = pairs ?? [];
  const arePairs = Array.isArray(list) && list.every((pair) => Array.isArray(pair) && pair.length === 2);
  if (!arePairs) throw wrong("translator.pairs", "expected an array of pairs of language tags");
  for (const pair of list) tags("translator.pairs", pair);
  return /** @type {TranslatorChoice} */ ({ model: choice("translator.model", model), pairs, prompt });
}

/**
 * @param {string} what
 * @param {unknown} value
 * @returns {string[] | undefined} In canonical form.
 */
function tags(what, value) {
  if (value === undefined) return undefined;
  try {
    if (Array.isArray(value)) return canonicalTags(value);
  } catch {
    // As where it is no array.
  }
  throw wrong(what, "expected an array of language tags");
}

/** @param {Detector} detector @returns {Detector} */
function checkedDetector(detector) {
  const languages = tags("languageDetector.languages", detector.languages);
  return { detect: (text) => detector.detect(text), languages };
}

/** @param {unknown} value @returns {value is Detector} */
function isDetector(value) {
  return typeof (/** @type {any} */ (value)?.detect) === "function";
}

/**
 * @param {string} what
 * @param {unknown} given
 * @param {readonly string[]} known
 * @returns {Record<string, unknown>}
 */
function named(what, given, known) {
  if (!isPlainObject(given)) throw wrong(what, "expected an object");
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw wrong(what, `unknown name "${unknown}"; known are ${known.join(", ")}`);
  return given;
}
