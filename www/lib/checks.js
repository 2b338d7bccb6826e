// What checks of options and arguments are made of.

import { InputError } from "./errors.js";

/**
 * A check takes the value and gives it normalised, or the words for what was expected.
 * @typedef {(value: any) => {value: any} | {expected: string}} Check
 */

/** The most that a count in the engine can be. */
export const MAX_U32 = 2 ** 32 - 1;

/**
 * @param {number} min
 * @param {number} max
 * @param {{integer?: boolean, aboveMin?: boolean}} [kind] `aboveMin` leaves out `min` itself.
 * @returns {Check}
 */
export function number(min, max, { integer = false, aboveMin = false } = {}) {
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
export const boolean = (value) => (typeof value === "boolean" ? { value } : { expected: "expected true or false" });

/** @type {Check} */
export const callback = (value) => (typeof value === "function" ? { value } : { expected: "expected a function" });

/** @type {Check} */
export const signal = (value) => (value instanceof AbortSignal ? { value } : { expected: "expected an AbortSignal" });

/** @type {Check} */
export const plainObject = (value) => (isPlainObject(value) ? { value } : { expected: "expected an object of named values" });

/** @type {Check} */
export const url = (value) => {
  const href = typeof value === "string" || value instanceof URL ? resolve(value) : null;
  return href === null ? { expected: "expected a URL" } : { value: href };
};

/** @param {readonly (string | boolean)[]} names @returns {Check} */
export function oneOf(names) {
  const expected = `expected one of ${names.map((name) => JSON.stringify(name)).join(", ")}`;
  return (value) => (names.includes(value) ? { value } : { expected });
}

/**
 * @param {string} call The function whose options these are.
 * @param {unknown} options
 * @param {Record<string, Check>} checks
 * @returns {Record<string, any>} The options that are given, normalised.
 */
export function check(call, options, checks) {
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

/** @param {unknown} value @returns {value is Record<string, unknown>} */
export function isPlainObject(value) {
  if (typeof value !== "object" || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** @param {string | URL} value @returns {string | null} */
export function resolve(value) {
  try {
    return new URL(value, globalThis.document?.baseURI ?? globalThis.location?.href).href;
  } catch {
    return null;
  }
}

/** @param {string} what The argument or option. @param {string} problem */
export function wrong(what, problem) {
  return new InputError(`${what}: ${problem}`, { what, problem });
}

/** @param {string} what @param {string} expected @param {unknown} value */
export function input(what, expected, value) {
  return wrong(what, `${expected}, got ${describe(value)}`);
}

/** @param {string} what @param {string} name @param {string[]} known */
export function unknownName(what, name, known) {
  return wrong(what, `unknown name "${name}"; known are ${known.join(", ")}`);
}

/** @param {unknown} value @returns {string} A short text for a message; never throws. */
export function describe(value) {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value === "function") return "a function";
  return String(value);
}
