// Tools: how a model is told of them, and how a call is found in what it writes. All that knows the syntax of calls is here.

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./types.js").Tool} Tool
 * @typedef {{name: string, arguments: unknown}} Call
 */

const BEGIN = "<tool_call>";
const END = "</tool_call>";

/**
 * Whether a model's template tells of tools by itself, and in the syntax that is read here.
 * @param {AnyModel} model
 * @param {readonly Tool[]} tools
 */
export async function takesTools(model, tools) {
  try {
    const text = await model.chatPrompt([{ role: "user", content: "?" }], { tools: definitions(tools) });
    return text.includes(BEGIN) && tools.every(({ name }) => text.includes(name));
  } catch {
    return false;
  }
}

/** @param {readonly Tool[]} tools As chat templates read them. */
export function definitions(tools) {
  return tools.map(({ name, description, inputSchema }) => {
    return { type: "function", function: { name, description, parameters: inputSchema } };
  });
}

/** @param {readonly Tool[]} tools @returns {string} For models whose template does not tell of them. */
export function instructions(tools) {
  const list = definitions(tools).map((definition) => JSON.stringify(definition.function));
  return [
    "You can call functions. Each of these lines describes one, its parameters by a JSON schema:",
    ...list,
    `To call one, write ${BEGIN}{"name": "…", "arguments": {…}}${END} and nothing after it.`,
    "The result comes in the next message.",
  ].join("\n");
}

/** @param {Call} call */
export function callText({ name, arguments: input }) {
  return `${BEGIN}${JSON.stringify({ name, arguments: input })}${END}`;
}

/** @param {string} name @param {string} content */
export function resultText(name, content) {
  return `<tool_response>${JSON.stringify({ name, content })}</tool_response>`;
}

/**
 * @param {string} text What a model has written so far.
 * @returns {number} How much of it is surely for the reader: up to the first call, or to what may become one.
 */
export function readableLength(text) {
  const at = text.indexOf(BEGIN);
  if (at >= 0) return at;
  for (let n = Math.min(BEGIN.length - 1, text.length); n > 0; n--) {
    if (text.endsWith(BEGIN.slice(0, n))) return text.length - n;
  }
  return text.length;
}

/**
 * @param {string} text All that a model wrote.
 * @returns {{text: string, calls: (Call | {error: string})[]}} What is for the reader, and the calls; with an error where one
 *   cannot be read.
 */
export function splitCalls(text) {
  const [before, ...rest] = text.split(BEGIN);
  if (rest.length === 0) return { text, calls: [] };
  return { text: before, calls: rest.map((part) => readCall(part.split(END)[0])) };
}

/** @param {string} json @returns {Call | {error: string}} */
function readCall(json) {
  try {
    const { name, arguments: input = {} } = JSON.parse(json);
    if (typeof name === "string") return { name, arguments: input };
    return { error: 'a call has no "name"' };
  } catch (error) {
    return { error: `a call is not JSON: ${error instanceof Error ? error.message : error}` };
  }
}
