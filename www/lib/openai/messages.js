// The messages of a chat: checked, and put as chat templates read them.

import { array, check, isObject, object, required, string } from "./checks.js";
import { invalid, unsupported } from "./errors.js";

/** @typedef {import("../syntax/messages.js").ChatMessage} ChatMessage */

/** @type {import("./checks.js").Check} */
const content = (value, param) => {
  if (typeof value === "string") return value;
  const texts = array(value, param).map((/** @type {unknown} */ part, /** @type {number} */ at) => {
    const within = `${param}[${at}]`;
    const { type } = object(part, within);
    // How messages and Responses' items name text that was said, and OpenAI what was refused.
    if (type === "refusal")
      return required(check(part, { type: string, refusal: string }, { within }), "refusal", within);
    if (!["text", "input_text", "output_text"].includes(type)) {
      throw unsupported(`${within}.type`, `only text is supported, not ${JSON.stringify(type)}`);
    }
    const { text } = /** @type {Record<string, unknown>} */ (part);
    return string(text, `${within}.text`);
  });
  return texts.join("\n");
};

/** @type {import("./checks.js").Check} */
const toolCalls = (value, param) =>
  array(value, param).map((/** @type {unknown} */ entry, /** @type {number} */ at) => {
    const within = `${param}[${at}]`;
    const { id, type, function: called } = object(entry, within);
    if (type !== "function" || !isObject(called)) throw unsupported(`${within}.type`, 'only "function" is supported');
    const name = string(called.name, `${within}.function.name`);
    const written = string(called.arguments, `${within}.function.arguments`);
    const args = parsedArguments(written, `${within}.function.arguments`);
    return { id: string(id, `${within}.id`), type, function: { name, arguments: args } };
  });

/** @param {string} text @param {string} param */
export function parsedArguments(text, param) {
  try {
    return text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw invalid(param, "expected JSON");
  }
}

/** What each role's message may have. @type {Record<string, Record<string, import("./checks.js").Check>>} */
const roles = {
  system: { content, name: string },
  developer: { content, name: string },
  user: { content, name: string },
  assistant: { content, name: string, refusal: string, reasoning_content: string, tool_calls: toolCalls },
  tool: { content, tool_call_id: string },
};

/** @type {import("./checks.js").Check} */
export const messages = (value, param) => {
  const list = array(value, param);
  if (list.length === 0) throw invalid(param, "expected at least one message");
  return list.map((/** @type {unknown} */ entry, /** @type {number} */ at) => message(entry, `${param}[${at}]`));
};

/** @param {unknown} entry @param {string} within @returns {ChatMessage} */
function message(entry, within) {
  const { role } = object(entry, within);
  if (typeof role !== "string" || !Object.hasOwn(roles, role)) {
    throw invalid(`${within}.role`, `expected one of ${Object.keys(roles).join(", ")}, got ${JSON.stringify(role)}`);
  }
  const {
    refusal,
    tool_calls: calls,
    ...checked
  } = check(entry, { role: string, ...roles[role] }, { within, refused: ["audio", "function_call"] });
  const hasCalls = calls !== undefined && calls.length > 0;
  const text = checked.content ?? refusal ?? (hasCalls ? "" : required(checked, "content", within));
  if (role === "tool") required(checked, "tool_call_id", within);
  return {
    ...checked,
    // It is what newer models call the system; templates know it by its old name.
    role: role === "developer" ? "system" : role,
    content: text,
    ...(hasCalls ? { tool_calls: calls } : {}),
  };
}
