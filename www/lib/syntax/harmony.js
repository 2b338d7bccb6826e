// The message format of gpt-oss: every message names its channel, and calls their recipient
// (OpenAI harmony response format, https://cookbook.openai.com/articles/openai-harmony).

import { firstTag, heldBack } from "./reader.js";

/**
 * @typedef {import("./reader.js").Part} Part
 * @typedef {import("./reader.js").Reader} Reader
 */

const MESSAGE = "<|message|>";
/** What ends a message; the next one's header follows. */
const ENDS = ["<|end|>", "<|call|>", "<|return|>", "<|start|>"];

/** The special tokens that have to be seen, though they are no text. */
export const HARMONY_TAGS = [MESSAGE, ...ENDS, "<|channel|>", "<|constrain|>"];

/**
 * The analysis channel is thought, messages to `functions.NAME` are calls, all else is text.
 * @implements {Reader}
 */
export class HarmonyReader {
  over = false;
  #buffer = "";
  /** What the message that is read is; null while its header is. @type {"content" | "reasoning" | "arguments" | null} */
  #kind = null;
  #calls = 0;
  #hasArguments = false;
  #names;
  #maxCalls;

  /**
   * @param {import("./tools.js").Functions} names
   * @param {number} maxCalls
   */
  constructor(names, maxCalls) {
    this.#names = names;
    this.#maxCalls = maxCalls;
  }

  get thinking() {
    return this.#kind === "reasoning";
  }

  /** @param {string} text @returns {Part[]} */
  push(text) {
    this.#buffer += text;
    /** @type {Part[]} */
    const parts = [];
    while (!this.over) {
      const tags = this.#kind === null ? [MESSAGE] : ENDS;
      const found = firstTag(this.#buffer, tags);
      if (this.#kind !== null) {
        const until = found ? found.at : this.#buffer.length - heldBack(this.#buffer, tags);
        parts.push(...this.#body(this.#buffer.slice(0, until)));
        this.#buffer = this.#buffer.slice(until);
      }
      if (!found) break;
      if (this.#kind === null) {
        parts.push(...this.#header(this.#buffer.slice(0, found.at)));
        this.#buffer = this.#buffer.slice(found.at + MESSAGE.length);
      } else {
        parts.push(...this.#end());
        this.#buffer = this.#buffer.slice(found.tag.length);
      }
    }
    return parts;
  }

  /** @returns {Part[]} */
  end() {
    const rest = this.#buffer;
    this.#buffer = "";
    if (this.#kind !== null) return [...this.#body(rest), ...this.#end()];
    // Without any header it is no message of this format but the answer itself.
    return this.over || rest.includes("<|") || rest.trim() === "" ? [] : [{ type: "content", text: rest }];
  }

  /** @param {string} header @returns {Part[]} */
  #header(header) {
    const name = /\bto=functions\.([\w.-]+)/.exec(header)?.[1];
    if (name !== undefined && this.#names.has(name)) {
      this.#kind = "arguments";
      this.#hasArguments = false;
      this.#calls += 1;
      return [{ type: "call", call: this.#calls - 1, name }];
    }
    this.#kind = /<\|channel\|>analysis\b/.test(header) ? "reasoning" : "content";
    return [];
  }

  /** @param {string} text @returns {Part[]} */
  #body(text) {
    if (text === "") return [];
    if (this.#kind !== "arguments") return [{ type: this.#kind ?? "content", text }];
    this.#hasArguments ||= text.trim() !== "";
    return [{ type: "arguments", call: this.#calls - 1, text }];
  }

  /** @returns {Part[]} */
  #end() {
    const isCall = this.#kind === "arguments";
    this.#kind = null;
    if (!isCall) return [];
    this.over = this.#calls >= this.#maxCalls;
    return this.#hasArguments ? [] : [{ type: "arguments", call: this.#calls - 1, text: "{}" }];
  }
}
