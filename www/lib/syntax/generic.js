// Calls of tools on any model: it is told of the functions in words, and its answer is held to JSON that is a call or text.

import { Parts } from "./parts.js";

/**
 * @typedef {import("./tools.js").Tools} Tools
 * @typedef {import("./tools.js").Tool} Tool
 */

/**
 * @param {Tools} given
 * @param {object | null} format The JSON Schema of text, where it is JSON.
 * @returns {string} For the system message.
 */
export function instructions({ tools, must, maxCalls }, format) {
  const described = tools.map(({ name, description, parameters }) => JSON.stringify({ name, description, parameters }));
  const call = '{"tool_calls": [{"name": "function name", "arguments": {}}]}';
  const words = format ? `{"response": JSON of the schema ${JSON.stringify(format)}}` : '{"response": "your answer"}';
  return [
    "You can call these functions:",
    ...described,
    `To call ${maxCalls === 1 ? "one" : "one or more"} of them, answer with JSON: ${call}`,
    ...(must ? [] : [`To answer without a call, answer with JSON: ${words}`]),
  ].join("\n");
}

/**
 * @param {Tools} given
 * @param {object | null} format The JSON Schema of text, where it is JSON.
 * @returns {object} The JSON Schema that the answer is held to.
 */
export function answerSchema({ tools, must, maxCalls }, format) {
  const parts = new Parts();
  const calls = tools.map((tool) => callSchema(parts.add(tool), "name", "arguments"));
  const called = closed({ tool_calls: listOf(anyOf(calls), maxCalls) });
  if (must) return parts.whole(called);
  const words = format ? parts.schema(format) : { type: "string" };
  return parts.whole(anyOf([called, closed({ response: words })]));
}

/**
 * @param {Tools} given
 * @param {{name: string, arguments: string, isList: boolean, id?: string}} form Names of a call's members; whether it is in a
 *   list.
 * @returns {object} The JSON Schema of a call that a family writes.
 */
export function forcedSchema({ tools, maxCalls }, form) {
  const parts = new Parts();
  const call = anyOf(tools.map((tool) => callSchema(parts.add(tool), form.name, form.arguments, form.id)));
  return parts.whole(form.isList ? listOf(call, maxCalls) : call);
}

/** @param {object} items @param {number} most */
function listOf(items, most) {
  return { type: "array", items, minItems: 1, ...(most === Infinity ? {} : { maxItems: most }) };
}

/** @param {Tool} tool @param {string} name @param {string} args @param {string} [id] */
function callSchema(tool, name, args, id) {
  const before = id === undefined ? {} : { [id]: { type: "string" } };
  return closed({ ...before, [name]: { const: tool.name }, [args]: tool.parameters });
}

/** @param {Record<string, object>} properties An object with these and no others. */
function closed(properties) {
  return { type: "object", properties, required: Object.keys(properties), additionalProperties: false };
}

/** @param {object[]} schemas */
function anyOf(schemas) {
  return schemas.length === 1 ? schemas[0] : { anyOf: schemas };
}

/**
 * A conversation without calls and tools, for templates that do not know them.
 * @param {import("./messages.js").ChatMessage[]} messages
 * @returns {import("./messages.js").ChatMessage[]}
 */
export function withoutCalls(messages) {
  /** @type {Map<string, string>} */
  const names = new Map();
  /** @type {import("./messages.js").ChatMessage[]} */
  const plain = [];
  for (const { tool_calls: calls, tool_call_id: id, ...message } of messages) {
    for (const {
      id,
      function: { name },
    } of calls ?? [])
      names.set(id, name);
    if (calls) {
      const written = calls.map(({ function: { name, arguments: args } }) => ({ name, arguments: args }));
      const text = JSON.stringify({ tool_calls: written });
      plain.push({ ...message, content: message.content ? `${message.content}\n${text}` : text });
    } else if (message.role === "tool") {
      const text = `Result of ${names.get(id ?? "") ?? "the call"}: ${message.content}`;
      const last = plain.at(-1);
      // Several results are one message, as many templates let the roles take turns only.
      if (last?.role === "user" && plain.length > 1) last.content = `${last.content}\n${text}`;
      else plain.push({ role: "user", content: text });
    } else plain.push(message);
  }
  return plain;
}
