// A conversation as the model reads it: by its own chat template where it has one, else in a plain form.

import { TemplateError } from "../errors.js";
import { callText, definitions, instructions, resultText, takesTools } from "./tools.js";

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").Tool} Tool
 */

const SPEAKERS = /** @type {Record<string, string>} */ ({ system: "", user: "User: ", assistant: "Assistant: ", tool: "User: " });

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
  /** Whether the template itself says how tools are called. @type {Promise<boolean> | null} */
  #native = null;

  /**
   * @param {AnyModel} model
   * @param {readonly Tool[]} [tools]
   */
  constructor(model, tools = []) {
    this.#model = model;
    this.#tools = tools;
  }

  /** Whether the form is the plain one, in which white space comes before an answer that is no part of it. */
  get isPlain() {
    return !this.#model.info.hasChatTemplate;
  }

  /** Texts that end an answer, besides the model's own end. */
  get stop() {
    return this.isPlain ? ["\nUser:"] : [];
  }

  /**
   * @param {readonly Message[]} messages
   * @returns {Promise<number>} How many tokens they take, without the beginning of an answer.
   */
  async count(messages) {
    if (messages.length === 0) return 0;
    return (await this.#tokenize(await this.#text(messages, false))).length;
  }

  /**
   * @param {readonly Message[]} messages
   * @param {string} [beginning] Of the answer.
   * @returns {Promise<Uint32Array>} What the model goes on from to answer.
   */
  async prompt(messages, beginning = "") {
    const gap = this.isPlain && /^\S/.test(beginning) ? " " : "";
    return this.#tokenize((await this.#text(messages, true)) + gap + beginning);
  }

  /** @param {string} text */
  #tokenize(text) {
    // A template says all special tokens itself.
    return this.#model.tokenize(text, { addSpecial: this.isPlain, parseSpecial: !this.isPlain });
  }

  /**
   * @param {readonly Message[]} messages
   * @param {boolean} open Whether it ends where an answer begins.
   * @returns {Promise<string>}
   */
  async #text(messages, open) {
    if (this.isPlain) return plain(generic(messages, this.#tools), open);
    if (this.#tools.length > 0) {
      this.#native ??= takesTools(this.#model, this.#tools);
      if (await this.#native) return this.#template(messages.map(native), { tools: definitions(this.#tools) }, open);
    }
    return this.#template(generic(messages, this.#tools), {}, open);
  }

  /**
   * Templates differ in what they refuse: two messages of one role in a row, or a system message.
   * @param {any[]} messages
   * @param {Record<string, unknown>} variables
   * @param {boolean} open
   */
  async #template(messages, variables, open) {
    const given = { ...variables, add_generation_prompt: open };
    /** @type {unknown} */
    let refusal;
    for (const form of [messages, joined(messages), joined(folded(messages))]) {
      try {
        return await this.#model.chatPrompt(form, given);
      } catch (error) {
        if (!(error instanceof TemplateError)) throw error;
        refusal ??= error;
      }
    }
    throw refusal;
  }
}

/** @param {readonly {role: string, content: string}[]} messages @param {boolean} open */
function plain(messages, open) {
  const text = messages.map(({ role, content }) => SPEAKERS[role] + content).join("\n");
  return open ? `${text}\nAssistant:` : text;
}

/**
 * Calls and results as text, and the tools as a system message.
 * @param {readonly Message[]} messages
 * @param {readonly Tool[]} tools
 * @returns {{role: string, content: string}[]}
 */
function generic(messages, tools) {
  const texts = messages.map(({ role, content, calls = [], name = "" }) => {
    if (role === "tool") return { role: "user", content: resultText(name, content) };
    return { role, content: [content, ...calls.map(callText)].filter((text) => text !== "").join("\n") };
  });
  if (tools.length === 0) return texts;
  const [first, ...rest] = texts;
  if (first?.role !== "system") return [{ role: "system", content: instructions(tools) }, ...texts];
  return [{ role: "system", content: `${first.content}\n\n${instructions(tools)}` }, ...rest];
}

/** @param {Message} message */
function native({ role, content, calls, name }) {
  if (role === "tool") return { role, name, content };
  if (!calls) return { role, content };
  return { role, content, tool_calls: calls.map((call) => ({ type: "function", function: call })) };
}

/**
 * @template {{role: string, content: string, tool_calls?: unknown}} M
 * @param {readonly M[]} messages
 * @returns {M[]} Messages of one role in a row as one.
 */
function joined(messages) {
  /** @type {M[]} */
  const list = [];
  for (const message of messages) {
    const last = list.at(-1);
    const isSame = last?.role === message.role && !last.tool_calls && !message.tool_calls && message.role !== "tool";
    if (last && isSame) list[list.length - 1] = { ...last, content: `${last.content}\n\n${message.content}` };
    else list.push(message);
  }
  return list;
}

/**
 * @template {{role: string, content: string}} M
 * @param {readonly M[]} messages
 * @returns {M[]} The system message as a part of the user's first.
 */
function folded(messages) {
  return messages.map((message) => (message.role === "system" ? { ...message, role: "user" } : message));
}
