// Checks of a request's parameters: each has a name, a type and a range, and nothing else is accepted.

import { invalid, unsupported } from "./errors.js";

/**
 * A check takes a value and the parameter's name and gives the value normalised; it throws `ApiError` where it does not fit.
 * @typedef {(value: any, param: string) => any} Check
 */

/**
 * @param {number} min
 * @param {number} max
 * @param {{aboveMin?: boolean}} [kind] `aboveMin` leaves out `min` itself.
 * @returns {Check}
 */
export function number(min, max, { aboveMin = false } = {}) {
  return (value, param) => {
    const fits = typeof value === "number" && (aboveMin ? value > min : value >= min) && value <= max;
    if (fits) return value;
    throw invalid(param, `expected a number ${aboveMin ? "above" : "from"} ${min} to ${max}, got ${describe(value)}`);
  };
}

/** @param {number} min @param {number} max @returns {Check} */
export function integer(min, max) {
  return (value, param) => {
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    throw invalid(param, `expected an integer from ${min} to ${max}, got ${describe(value)}`);
  };
}

/** @type {Check} */
export const boolean = (value, param) => {
  if (typeof value === "boolean") return value;
  throw invalid(param, `expected true or false, got ${describe(value)}`);
};

/** @type {Check} */
export const string = (value, param) => {
  if (typeof value === "string") return value;
  throw invalid(param, `expected a string, got ${describe(value)}`);
};

/** @param {readonly unknown[]} known @returns {Check} */
export function oneOf(known) {
  return (value, param) => {
    if (known.includes(value)) return value;
    const names = known.map((name) => JSON.stringify(name)).join(" or ");
    throw invalid(param, `expected ${names}, got ${describe(value)}`, "unsupported_value");
  };
}

/** @type {Check} */
export const object = (value, param) => {
  if (isObject(value)) return value;
  throw invalid(param, `expected an object, got ${describe(value)}`);
};

/** What the prompt is made of, which only the request's own parameters say. */
const OWN_VARIABLES = ["messages", "tools", "add_generation_prompt"];

/** Values for a chat template. @type {Check} */
export const templateVariables = (value, param) => {
  const own = Object.keys(object(value, param)).find((name) => OWN_VARIABLES.includes(name));
  if (own !== undefined) throw unsupported(`${param}.${own}`, "the request's own parameters say it");
  return value;
};

/** @type {Check} */
export const array = (value, param) => {
  if (Array.isArray(value)) return value;
  throw invalid(param, `expected an array, got ${describe(value)}`);
};

/** Keys and values as OpenAI allows for metadata. @type {Check} */
export const metadata = (value, param) => {
  const entries = Object.entries(object(value, param));
  if (entries.length > 16) throw invalid(param, `expected at most 16 keys, got ${entries.length}`);
  for (const [key, text] of entries) {
    const fits = key.length <= 64 && typeof text === "string" && text.length <= 512;
    if (!fits) throw invalid(`${param}.${key}`, "expected a key of up to 64 letters and a string of up to 512");
  }
  return value;
};

/** One less than models take, for a text that ends every answer of a model without a chat template. */
const MAX_STOPS = 15;

/** @type {Check} */
export const stops = (value, param) => {
  const list = typeof value === "string" ? [value] : value;
  const fits =
    Array.isArray(list) && list.length <= MAX_STOPS && list.every((text) => typeof text === "string" && text !== "");
  if (fits) return list;
  throw invalid(param, `expected a string or up to ${MAX_STOPS} strings, none of them empty`);
};

/** Token ids, as JSON has them for keys, and what is added to their scores. @type {Check} */
export const logitBias = (value, param) => {
  for (const [id, bias] of Object.entries(object(value, param))) {
    if (!/^\d+$/.test(id)) throw invalid(`${param}.${id}`, "expected a token id for a key");
    number(-100, 100)(bias, `${param}.${id}`);
  }
  return value;
};

/** A cut of what was said, as a stop text or a schema may be long. @param {unknown} value */
function describe(value) {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** @param {unknown} value @returns {value is Record<string, any>} */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * @param {unknown} body
 * @param {Record<string, Check>} checks What is accepted, by name.
 * @param {{within?: string, refused?: readonly string[]}} [where] `within`: the parameter that `body` is. `refused`: names
 *   that the API has, but not here.
 * @returns {Record<string, any>} What is given. As in OpenAI's API, null is as good as left out.
 */
export function check(body, checks, { within = "", refused = [] } = {}) {
  const given = object(body, within || "body");
  /** @type {Record<string, any>} */
  const checked = {};
  for (const [name, value] of Object.entries(given)) {
    const param = within ? `${within}.${name}` : name;
    if (value === null || value === undefined) continue;
    if (Object.hasOwn(checks, name)) checked[name] = checks[name](value, param);
    else if (refused.includes(name)) throw unsupported(param);
    else throw invalid(param, `unknown name; known are ${Object.keys(checks).join(", ")}`, "unknown_parameter");
  }
  return checked;
}

/** @param {Record<string, any>} checked @param {string} name @param {string} [within] */
export function required(checked, name, within = "") {
  const param = within ? `${within}.${name}` : name;
  if (checked[name] === undefined) throw invalid(param, "it has to be given", "missing_required_parameter");
  return checked[name];
}
