// What /v1/responses is given to go on from: items, as messages of a chat.

import { check, isObject, object, string } from "./checks.js";
import { invalid, unsupported } from "./errors.js";
import { messages, parsedArguments } from "./messages.js";

/** @typedef {import("../syntax/messages.js").ChatMessage} ChatMessage */

/** @type {import("./checks.js").Check} */
export const input = (value, param) => {
  if (typeof value === "string") return [{ role: "user", content: value }];
  if (!Array.isArray(value) || value.length === 0)
    throw invalid(param, "expected a string or an array of at least one item");
  /** @type {ChatMessage[]} */
  const list = [];
  let thought = "";
  for (const [at, item] of value.entries()) {
    const within = `${param}[${at}]`;
    const { type = "message" } = object(item, within);
    if (type === "reasoning") thought = thoughtOf(item);
    else if (type === "function_call") addCall(list, item, within, thought);
    else if (type === "function_call_output") list.push(result(item, within));
    else if (type === "message") list.push(said(item, within, thought));
    else throw unsupported(`${within}.type`, `items of type ${JSON.stringify(type)} are not supported`);
    if (type !== "reasoning") thought = "";
  }
  if (list.length === 0) throw invalid(param, "expected an item beside reasoning");
  return list;
};

/** @param {Record<string, any>} item */
function thoughtOf(item) {
  const parts = Array.isArray(item.content) ? item.content : [];
  return parts.map((part) => (isObject(part) && typeof part.text === "string" ? part.text : "")).join("\n");
}

/** @param {unknown} item @param {string} within @param {string} thought @returns {ChatMessage} */
function said(item, within, thought) {
  // What an answer's item has beside, and nobody needs here.
  const { type: _type, id: _id, status: _status, phase: _phase, ...message } = object(item, within);
  if (message.role === "tool")
    throw invalid(`${within}.role`, "results of tools are items of type function_call_output");
  const [read] = messages([message], within);
  return thought !== "" && read.role === "assistant" ? { ...read, reasoning_content: thought } : read;
}

const callChecks = { type: string, id: string, call_id: string, name: string, arguments: string, status: string };

/**
 * Calls after each other, or after words of the assistant, are one message.
 * @param {ChatMessage[]} list @param {unknown} item @param {string} within @param {string} thought
 */
function addCall(list, item, within, thought) {
  const given = check(item, callChecks, { within });
  const { call_id: id, name } = given;
  if (id === undefined || name === undefined)
    throw invalid(`${within}.${id === undefined ? "call_id" : "name"}`, "it has to be given");
  const args = parsedArguments(given.arguments ?? "", `${within}.arguments`);
  const call = { id, type: /** @type {const} */ ("function"), function: { name, arguments: args } };
  const last = list.at(-1);
  if (last?.role === "assistant") last.tool_calls = [...(last.tool_calls ?? []), call];
  else
    list.push({
      role: "assistant",
      content: "",
      ...(thought ? { reasoning_content: thought } : {}),
      tool_calls: [call],
    });
}

/** @param {Record<string, any>} item @param {string} within @returns {ChatMessage} */
function result({ type: _type, id: _id, status: _status, call_id: id, output, ...rest }, within) {
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw unsupported(`${within}.${unknown}`);
  if (typeof id !== "string") throw invalid(`${within}.call_id`, "it has to be given");
  const [{ content }] = messages([{ role: "user", content: output }], `${within}.output`);
  return { role: "tool", tool_call_id: id, content };
}
