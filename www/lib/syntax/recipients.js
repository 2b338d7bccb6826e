// Messages that begin with whom they are for, as Functionary 3.2 writes them: `>>>all` and text, `>>>NAME` and arguments.

import { firstTag, heldBack, Trimmed } from "./reader.js";

/**
 * @typedef {import("./reader.js").Part} Part
 * @typedef {import("./reader.js").Reader} Reader
 */

const NEXT = ">>>";
const ALL = "all";

/**
 * The prompt has written the first mark already.
 * @implements {Reader}
 */
export class RecipientReader {
  thinking = false;
  over = false;
  /** @type {"header" | "content" | "arguments"} */
  #state = "header";
  #buffer = "";
  #text = new Trimmed();
  #calls = 0;
  #hasArguments = false;
  /** The mark before the header, where it was not the prompt's. */
  #mark = "";
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

  /** @param {string} text @returns {Part[]} */
  push(text) {
    this.#buffer += text;
    /** @type {Part[]} */
    const parts = [];
    while (this.#buffer !== "" && !this.over && this.#step(parts));
    return parts;
  }

  /** @returns {Part[]} */
  end() {
    const rest = this.#buffer;
    this.#buffer = "";
    /** @type {Part[]} */
    const parts = [];
    if (this.over) return parts;
    if (this.#state !== "header") {
      this.#body(rest, parts);
      this.#close(parts);
    } else if (rest.trim() !== "" && rest.trim() !== ALL) parts.push({ type: "content", text: this.#mark + rest });
    return parts;
  }

  /** @param {Part[]} parts @returns {boolean} Whether there may be more to do. */
  #step(parts) {
    if (this.#state === "header") return this.#header(parts);
    const found = firstTag(this.#buffer, [NEXT]);
    const until = found ? found.at : this.#buffer.length - heldBack(this.#buffer, [NEXT]);
    this.#body(this.#buffer.slice(0, until), parts);
    this.#buffer = this.#buffer.slice(until + (found ? NEXT.length : 0));
    if (!found) return false;
    this.#close(parts);
    this.#state = "header";
    this.#mark = NEXT;
    return true;
  }

  /** @param {Part[]} parts */
  #header(parts) {
    const end = this.#buffer.search(/\S\s*\n/);
    if (end < 0) return false;
    const line = this.#buffer.slice(0, end + 1);
    const recipient = line.trim().replace(NEXT, "");
    if (recipient !== ALL && !this.#names.has(recipient)) {
      this.#state = "content"; // it is no header but text
      this.#body(this.#mark, parts);
      return true;
    }
    this.#buffer = this.#buffer.slice(this.#buffer.indexOf("\n", end) + 1);
    this.#text = new Trimmed();
    if (recipient === ALL) this.#state = "content";
    else {
      this.#state = "arguments";
      this.#hasArguments = false;
      parts.push({ type: "call", call: this.#calls, name: recipient });
      this.#calls += 1;
    }
    return true;
  }

  /** @param {string} text @param {Part[]} parts */
  #body(text, parts) {
    const inside = this.#text.push(text);
    if (inside === "") return;
    if (this.#state === "content") parts.push({ type: "content", text: inside });
    else {
      this.#hasArguments = true;
      parts.push({ type: "arguments", call: this.#calls - 1, text: inside });
    }
  }

  /** @param {Part[]} parts */
  #close(parts) {
    if (this.#state !== "arguments") return;
    if (!this.#hasArguments) parts.push({ type: "arguments", call: this.#calls - 1, text: "{}" });
    this.over = this.#calls >= this.#maxCalls;
  }
}
