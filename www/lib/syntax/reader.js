// What a model writes, read as it comes: text, thoughts, calls of tools.

/**
 * A part of an answer. `call` begins the call of a tool, `arguments` goes on with its JSON text; `call` there counts the calls
 * of the answer from 0.
 * @typedef {{type: "content" | "reasoning", text: string} | {type: "call", call: number, name: string} |
 *   {type: "arguments", call: number, text: string}} Part
 */

/**
 * @typedef {object} Reader
 * @property {(text: string) => Part[]} push The parts that a piece of text completes.
 * @property {() => Part[]} end What is left when no more text comes.
 * @property {boolean} thinking Whether the text that comes now is thought.
 * @property {boolean} over Whether nothing that could still come would count.
 */

/**
 * How many letters at the end of `text` may be the start of one of the tags.
 * @param {string} text
 * @param {readonly string[]} tags
 */
export function heldBack(text, tags) {
  const longest = Math.max(0, ...tags.map((tag) => tag.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length -= 1) {
    const tail = text.slice(-length);
    if (tags.some((tag) => tag.startsWith(tail))) return length;
  }
  return 0;
}

/**
 * The first of the tags that stands in a text; of two at one place the longer.
 * @param {string} text
 * @param {readonly string[]} tags
 * @returns {{at: number, tag: string} | null}
 */
export function firstTag(text, tags) {
  /** @type {{at: number, tag: string} | null} */
  let first = null;
  for (const tag of tags) {
    const at = text.indexOf(tag);
    if (at < 0) continue;
    if (!first || at < first.at || (at === first.at && tag.length > first.tag.length)) first = { at, tag };
  }
  return first;
}

/** Text whose white space at both ends is left out. */
export class Trimmed {
  #space = "";
  #begun = false;

  /** @param {string} text @returns {string} What is sure to be inside. */
  push(text) {
    const whole = this.#begun ? this.#space + text : text.trimStart();
    const inside = whole.trimEnd();
    this.#space = whole.slice(inside.length);
    this.#begun ||= inside !== "";
    return inside;
  }
}

/** @implements {Reader} */
export class PlainReader {
  thinking = false;
  over = false;
  #atStart;

  /** @param {{trimStart?: boolean}} [how] Whether white space at the start is left out. */
  constructor({ trimStart = false } = {}) {
    this.#atStart = trimStart;
  }

  /** @param {string} text @returns {Part[]} */
  push(text) {
    const rest = this.#atStart ? text.trimStart() : text;
    if (rest === "") return [];
    this.#atStart = false;
    return [{ type: "content", text: rest }];
  }

  /** @returns {Part[]} */
  end() {
    return [];
  }
}

/** What thoughts stand between in most templates. */
export const THOUGHTS = /** @type {const} */ (["<think>", "</think>"]);

/**
 * Splits off the thoughts with which an answer begins, between two tags; the rest is for another reader.
 * @implements {Reader}
 */
export class ThinkReader {
  /** @type {"start" | "thinking" | "after" | "answer"} */
  #state;
  #buffer = "";
  #thought = new Trimmed();
  #answer;
  #open;
  #close;

  /**
   * @param {Reader} answer
   * @param {boolean} opened Whether the prompt has opened the thoughts already.
   * @param {readonly [string, string]} [tags]
   */
  constructor(answer, opened, [open, close] = THOUGHTS) {
    this.#answer = answer;
    this.#open = open;
    this.#close = close;
    this.#state = opened ? "thinking" : "start";
  }

  get thinking() {
    return this.#state === "thinking" || this.#answer.thinking;
  }

  get over() {
    return this.#answer.over;
  }

  /** @param {string} text @returns {Part[]} */
  push(text) {
    if (this.#state === "answer") return this.#answer.push(text);
    this.#buffer += text;
    /** @type {Part[]} */
    const parts = [];
    if (this.#state === "start") {
      const begun = this.#buffer.trimStart();
      if (begun.startsWith(this.#open)) {
        this.#buffer = begun.slice(this.#open.length);
        this.#state = "thinking";
      } else if (!this.#open.startsWith(begun)) return this.#pass();
    }
    if (this.#state === "thinking") {
      const close = this.#buffer.indexOf(this.#close);
      const until = close < 0 ? this.#buffer.length - heldBack(this.#buffer, [this.#close]) : close;
      const thought = this.#thought.push(this.#buffer.slice(0, until));
      if (thought !== "") parts.push({ type: "reasoning", text: thought });
      this.#buffer = this.#buffer.slice(close < 0 ? until : close + this.#close.length);
      if (close >= 0) this.#state = "after";
    }
    if (this.#state === "after") {
      this.#buffer = this.#buffer.trimStart();
      if (this.#buffer !== "") parts.push(...this.#pass());
    }
    return parts;
  }

  /** @returns {Part[]} */
  end() {
    if (this.#state === "thinking") {
      const thought = this.#thought.push(this.#buffer);
      this.#buffer = "";
      return thought === "" ? [] : [{ type: "reasoning", text: thought }];
    }
    return [...this.#pass(), ...this.#answer.end()];
  }

  /** @returns {Part[]} */
  #pass() {
    this.#state = "answer";
    const text = this.#buffer;
    this.#buffer = "";
    return text === "" ? [] : this.#answer.push(text);
  }
}
