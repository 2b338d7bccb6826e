// Calls whose arguments are written one by one between tags, as Qwen3-Coder and GLM-4.5 do; told as JSON while they are written.

import { firstTag, heldBack } from "./reader.js";

/**
 * @typedef {import("./reader.js").Part} Part
 * @typedef {import("./reader.js").Reader} Reader
 * @typedef {import("./tools.js").Functions} Functions
 */

/**
 * How a family writes such calls. What stands between the parts is white space.
 * @typedef {object} TagForm
 * @property {string} open Before the name.
 * @property {readonly string[]} nameEnds What the name ends with. One that begins a key or ends the call counts as that too.
 * @property {string} key Before a key.
 * @property {readonly [string, ...string[]]} keyEnds One after another: what comes between a key and its value.
 * @property {string} valueEnd
 * @property {string} close After the last value.
 * @property {readonly string[]} skip Tags around calls that say nothing more.
 * @property {boolean} lines Whether a value has a line break before and after it, which are no part of it.
 */

/**
 * A value of a parameter that is text comes as it is; others are JSON, and text where they are none.
 * @implements {Reader}
 */
export class TagReader {
  thinking = false;
  over = false;
  /** @type {"text" | "name" | "arguments" | "key" | "value"} */
  #state = "text";
  #buffer = "";
  #space = "";
  #calls = 0;
  #hasArguments = false;
  /** @type {Record<string, any>} */
  #properties = {};
  #isText = false;
  /** @type {Part[]} */
  #parts = [];
  #form;
  #functions;
  #maxCalls;

  /**
   * @param {TagForm} form
   * @param {Functions} functions
   * @param {number} maxCalls
   */
  constructor(form, functions, maxCalls) {
    this.#form = form;
    this.#functions = functions;
    this.#maxCalls = maxCalls;
  }

  /** @param {string} text @returns {Part[]} */
  push(text) {
    this.#buffer += text;
    while (this.#buffer !== "" && !this.over && this.#step());
    return this.#parts.splice(0);
  }

  /** @returns {Part[]} */
  end() {
    const rest = this.#buffer;
    this.#buffer = "";
    if (this.over) return [];
    if (this.#state === "text") this.#content(rest);
    else if (this.#state === "name") this.#content(this.#form.open + rest);
    if (this.#calls === 0 && this.#space !== "") this.#parts.push({ type: "content", text: this.#space });
    return this.#parts.splice(0);
  }

  /** @returns {boolean} Whether there may be more to do. */
  #step() {
    switch (this.#state) {
      case "text":
        return this.#inText();
      case "name":
        return this.#inName();
      case "arguments":
        return this.#inArguments();
      case "key":
        return this.#inKey();
      case "value":
        return this.#inValue();
    }
  }

  #inText() {
    const { open, skip } = this.#form;
    const tags = [open, ...skip];
    const found = firstTag(this.#buffer, tags);
    const until = found ? found.at : this.#buffer.length - heldBack(this.#buffer, tags);
    this.#content(this.#buffer.slice(0, until));
    this.#buffer = this.#buffer.slice(until + (found?.tag.length ?? 0));
    if (found?.tag === open) this.#state = "name";
    return found !== null;
  }

  #inName() {
    const { open, nameEnds, key, close } = this.#form;
    const found = firstTag(this.#buffer.trimStart(), nameEnds);
    if (!found) return false;
    const begun = this.#buffer.trimStart();
    const name = begun.slice(0, found.at).trim();
    if (!this.#functions.has(name) || this.#calls >= this.#maxCalls) {
      this.#state = "text";
      this.#content(open);
      return true;
    }
    this.#buffer = begun.slice(found.at + ([key, close].includes(found.tag) ? 0 : found.tag.length));
    this.#parts.push({ type: "call", call: this.#calls, name });
    this.#calls += 1;
    this.#space = "";
    this.#hasArguments = false;
    this.#properties = /** @type {any} */ (this.#functions.get?.(name)?.parameters.properties) ?? {};
    this.#state = "arguments";
    return true;
  }

  #inArguments() {
    const { key, close } = this.#form;
    const found = firstTag(this.#buffer, [key, close]);
    if (!found) return false;
    this.#buffer = this.#buffer.slice(found.at + found.tag.length);
    if (found.tag === key) this.#state = "key";
    else {
      this.#argument(this.#hasArguments ? "}" : "{}");
      this.#state = "text";
      this.over = this.#calls >= this.#maxCalls;
    }
    return true;
  }

  #inKey() {
    const { keyEnds, lines } = this.#form;
    let at = this.#buffer.indexOf(keyEnds[0]);
    if (at < 0) return false;
    const key = this.#buffer.slice(0, at);
    for (const end of keyEnds) {
      at = this.#buffer.indexOf(end, at);
      if (at < 0) return false;
      at += end.length;
    }
    if (lines && at === this.#buffer.length) return false; // the line break may follow
    this.#buffer = this.#buffer.slice(lines && this.#buffer[at] === "\n" ? at + 1 : at);
    this.#argument(`${this.#hasArguments ? ", " : "{"}${JSON.stringify(key)}: `);
    this.#hasArguments = true;
    this.#isText = isText(this.#properties[key]);
    if (this.#isText) this.#argument('"');
    this.#state = "value";
    return true;
  }

  #inValue() {
    const { valueEnd, lines } = this.#form;
    const ends = lines ? [`\n${valueEnd}`, valueEnd] : [valueEnd];
    const found = firstTag(this.#buffer, ends);
    const until = found ? found.at : this.#buffer.length - heldBack(this.#buffer, ends);
    if (this.#isText) {
      const whole = wholeCharacters(this.#buffer, until);
      this.#argument(JSON.stringify(this.#buffer.slice(0, whole)).slice(1, -1) + (found ? '"' : ""));
      this.#buffer = this.#buffer.slice(whole);
    } else if (found) {
      this.#argument(asJson(this.#buffer.slice(0, until)));
      this.#buffer = this.#buffer.slice(until);
    }
    if (!found) return false;
    this.#buffer = this.#buffer.slice(found.tag.length);
    this.#state = "arguments";
    return true;
  }

  /** @param {string} text */
  #argument(text) {
    if (text === "") return;
    const last = this.#parts.at(-1);
    if (last?.type === "arguments") last.text += text;
    else this.#parts.push({ type: "arguments", call: this.#calls - 1, text });
  }

  /** @param {string} text */
  #content(text) {
    const whole = this.#space + text;
    const inside = whole.trimEnd();
    this.#space = whole.slice(inside.length);
    if (inside === "") return;
    const last = this.#parts.at(-1);
    if (last?.type === "content") last.text += inside;
    else this.#parts.push({ type: "content", text: inside });
  }
}

/** @param {any} schema Of a parameter. @returns {boolean} Whether its value can only be text. */
export function isText(schema) {
  if (schema?.type === "string") return true;
  return Array.isArray(schema?.enum) && schema.enum.every((/** @type {unknown} */ value) => typeof value === "string");
}

/** @param {string} text */
function asJson(text) {
  try {
    JSON.parse(text);
    return text.trim();
  } catch {
    return JSON.stringify(text);
  }
}

/** @param {string} text @param {number} until @returns {number} The same, or one less where it would cut a character in half. */
function wholeCharacters(text, until) {
  const last = text.charCodeAt(until - 1);
  return until === text.length && last >= 0xd800 && last < 0xdc00 ? until - 1 : until;
}
