// The tools of a request, and which of them may or must be called.

import { array, boolean, check, isObject, object, oneOf, required, string } from "./checks.js";
import { invalid, unsupported } from "./errors.js";
import { checkStrict } from "./format.js";

/**
 * @typedef {import("../syntax/tools.js").Tool} Tool
 * @typedef {import("../syntax/tools.js").Tools} Tools
 */

const functionName = (/** @type {unknown} */ value, /** @type {string} */ param) => {
  if (typeof value === "string" && /^[\w-]{1,64}$/.test(value)) return value;
  throw invalid(param, "expected up to 64 letters, digits, _ and -");
};

const functionChecks = { name: functionName, description: string, parameters: object, strict: boolean };

/** @param {unknown} value @param {string} param @returns {Tool} */
function tool(value, param) {
  const checked = check(value, functionChecks, { within: param });
  required(checked, "name", param);
  if (checked.strict && checked.parameters) checkStrict(checked.parameters, `${param}.parameters`);
  return { parameters: { type: "object", properties: {}, additionalProperties: false }, strict: false, ...checked, name: checked.name };
}

/**
 * The tools as `/v1/chat/completions` has them: `{type, function: {…}}`.
 * @param {unknown} value @param {string} param @returns {Tool[]}
 */
export const chatTools = (value, param) =>
  array(value, param).map((/** @type {unknown} */ entry, /** @type {number} */ at) => {
    const within = `${param}[${at}]`;
    const { type } = object(entry, within);
    if (type !== "function")
      throw unsupported(`${within}.type`, `only "function" is supported, not ${JSON.stringify(type)}`);
    const checked = check(entry, { type: string, function: tool }, { within });
    return required(checked, "function", within);
  });

/**
 * The tools as `/v1/responses` has them: `{type, name, …}`.
 * @param {unknown} value @param {string} param @returns {Tool[]}
 */
export const responseTools = (value, param) =>
  array(value, param).map((/** @type {unknown} */ entry, /** @type {number} */ at) => {
    const within = `${param}[${at}]`;
    const { type, ...rest } = object(entry, within);
    if (type !== "function")
      throw unsupported(`${within}.type`, `only "function" is supported, not ${JSON.stringify(type)}`);
    return tool(rest, within);
  });

/**
 * `"none"`, `"auto"`, `"required"`, or a function by its name as either endpoint writes it.
 * @type {import("./checks.js").Check}
 */
export const toolChoice = (value, param) => {
  if (!isObject(value)) return oneOf(["none", "auto", "required"])(value, param);
  if (value.type !== "function") throw unsupported(`${param}.type`, 'only "function" is supported');
  const name = isObject(value.function) ? value.function.name : value.name;
  return { name: functionName(name, isObject(value.function) ? `${param}.function.name` : `${param}.name`) };
};

/**
 * @param {Record<string, any>} checked `tools`, `tool_choice` and `parallel_tool_calls` of a request.
 * @returns {Tools}
 */
export function chosenTools({ tools = [], tool_choice: choice, parallel_tool_calls: parallel }) {
  const names = tools.map((/** @type {Tool} */ { name }) => name);
  const twice = names.find((/** @type {string} */ name, /** @type {number} */ at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw invalid("tools", `there are two functions named ${JSON.stringify(twice)}`);
  for (const [param, given] of [
    ["tool_choice", choice],
    ["parallel_tool_calls", parallel],
  ]) {
    if (given !== undefined && tools.length === 0) throw invalid(param, "it is only allowed where there are tools");
  }
  const maxCalls = parallel === false ? 1 : Infinity;
  if (choice === "none") return { tools: [], must: false, maxCalls };
  if (typeof choice !== "object") return { tools, must: choice === "required", maxCalls };
  const named = tools.filter((/** @type {Tool} */ { name }) => name === choice.name);
  if (named.length === 0)
    throw invalid("tool_choice", `there is no function named ${JSON.stringify(choice.name)} in tools`);
  return { tools: named, must: true, maxCalls: 1 };
}
