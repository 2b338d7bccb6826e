// A conversation of these interfaces as the model reads it, and how its answer is read.

import { chatPrompt, chatTokens } from "../syntax/prompt.js";

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Tool} Tool
 * @typedef {import("../syntax/messages.js").ChatMessage} ChatMessage
 */

/** Of the context, the part that is kept for the answer and for the words that begin it, in tokens. */
const MOST_RESERVED = 512;

/** @param {AnyModel} model @returns {number} How many tokens a conversation may have. */
export function contextWindow(model) {
  const { contextLength } = model.info;
  return contextLength - Math.min(MOST_RESERVED, Math.floor(contextLength / 8));
}

export class Renderer {
  #model;
  #tools;

  /**
   * @param {AnyModel} model
   * @param {readonly Tool[]} [tools]
   */
  constructor(model, tools = []) {
    this.#model = model;
    const told = tools.map(({ name, description, inputSchema }) => {
      return { name, description, parameters: /** @type {Record<string, unknown>} */ (inputSchema), strict: false };
    });
    this.#tools = { tools: told, must: false, maxCalls: Infinity };
  }

  /**
   * @param {readonly Message[]} messages
   * @returns {Promise<number>} How many tokens they take, without the beginning of an answer.
   */
  async count(messages) {
    if (messages.length === 0) return 0;
    return (await chatTokens(this.#model, this.#chat(messages))).length;
  }

  /**
   * @param {readonly Message[]} messages
   * @param {{prefix?: string, written?: string, constraint?: import("./constraint.js").Constraint}} [answer] What its answer
   *   begins with, what the model has written of it, and what it is held to.
   */
  prompt(messages, { prefix, written, constraint } = {}) {
    const { jsonSchema = null, regex } = /** @type {{jsonSchema?: object, regex?: RegExp}} */ (constraint ?? {});
    return chatPrompt(this.#model, { ...this.#chat(messages), prefix, written, format: { schema: jsonSchema, regex } });
  }

  /** @param {readonly Message[]} messages @returns {import("../syntax/prompt.js").Chat} */
  #chat(messages) {
    return { messages: chatMessages(messages), tools: this.#tools, format: { schema: null }, variables: {}, anyOrder: true };
  }
}

/** @param {readonly Message[]} messages @returns {ChatMessage[]} With ids of calls, which results name. */
function chatMessages(messages) {
  let calls = 0;
  let results = 0;
  return messages.map(({ role, content, calls: called, name }) => {
    if (role === "tool") return { role, content, name, tool_call_id: `call_${results++}` };
    if (!called) return { role, content };
    const toolCalls = called.map((call) => {
      return { id: `call_${calls++}`, type: /** @type {const} */ ("function"), function: call };
    });
    return { role, content, tool_calls: toolCalls };
  });
}
