// Calls of tools in the text that a model writes, told while they are written.

import { firstTag, heldBack } from "./reader.js";
import { JsonReader } from "./json.js";

/**
 * @typedef {import("./reader.js").Part} Part
 * @typedef {import("./reader.js").Reader} Reader
 * @typedef {import("./json.js").Letter} Letter
 */

/**
 * How a family of models writes calls.
 * @typedef {object} CallForm
 * @property {readonly string[]} open Tags before a call, or before a list of them.
 * @property {readonly string[]} skip Tags that say nothing more.
 * @property {boolean} bare Whether an answer that begins with a bracket is a call without a tag.
 * @property {boolean} jsonResponse Whether `{"response": …}` has JSON that is the text, not a string of it.
 * @property {RegExp | null} header Where a call's name may stand before its JSON, which is the arguments alone then: finds
 *   the name in what stands between the tag and the JSON.
 */

/** What a name is called in the JSON of a call, and its arguments. */
const NAME = ["name", "tool_name"];
const ARGUMENTS = ["arguments", "parameters"];

/** A name and what may stand around it is shorter. */
const MAX_HEADER = 200;

/**
 * The JSON of a call is `{name, arguments}` or a list of such, alone or in `{"tool_calls": […]}`; `{"response": "…"}` is text
 * instead. A call is told when its name is known, its arguments from then on as they come. What turns out to call nothing
 * that there is, is text.
 * @implements {Reader}
 */
export class CallReader {
  thinking = false;
  over = false;
  /** @type {"start" | "text" | "header" | "json" | "between"} */
  #state = "start";
  #buffer = "";
  /** White space that is part of the text only if text follows. */
  #space = "";
  /** What was taken for a call, until it is known for one. */
  #pending = "";
  #json = new JsonReader(() => {});
  /** Calls that have been told. */
  #calls = 0;
  /** The call that is read: its place in the JSON, its name so far, and arguments that came before the name. */
  #call = noCall("");
  /** Whether the JSON is known for one of calls or of a response. */
  #known = false;
  /** @type {Part[]} */
  #parts = [];
  #form;
  #names;
  #maxCalls;

  /**
   * @param {CallForm} form
   * @param {import("./tools.js").Functions} names
   * @param {number} maxCalls
   */
  constructor(form, names, maxCalls) {
    this.#form = form;
    this.#names = names;
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
    if (this.#state === "json" || this.#state === "header") {
      if (!this.#known) this.#content(this.#pending);
      this.#closeCall();
    }
    if (!this.over && this.#state !== "json") this.#content(this.#buffer);
    if (this.#calls === 0 && this.#space !== "") this.#parts.push({ type: "content", text: this.#space });
    this.#buffer = "";
    return this.#parts.splice(0);
  }

  /** @returns {boolean} Whether there may be more to do. */
  #step() {
    switch (this.#state) {
      case "start":
      case "between":
        return this.#atBracket();
      case "text":
        return this.#inText();
      case "header":
        return this.#inHeader();
      case "json":
        return this.#inJson();
    }
  }

  #atBracket() {
    const between = this.#state === "between" ? /^[\s;,]*/ : /^\s*/;
    const [space] = /** @type {RegExpExecArray} */ (between.exec(this.#buffer));
    if (space.length === this.#buffer.length) return false;
    const isCall = this.#form.bare && /[{[]/.test(this.#buffer[space.length]);
    if (isCall) {
      this.#beginJson(space);
      this.#buffer = this.#buffer.slice(space.length);
    } else this.#state = "text";
    return true;
  }

  #inText() {
    const { open, skip } = this.#form;
    const tags = [...open, ...skip];
    const found = firstTag(this.#buffer, tags);
    const until = found ? found.at : this.#buffer.length - heldBack(this.#buffer, tags);
    this.#content(this.#buffer.slice(0, until));
    this.#buffer = this.#buffer.slice(until + (found?.tag.length ?? 0));
    if (found && open.includes(found.tag)) {
      this.#pending = found.tag;
      this.#known = false;
      this.#state = "header";
    }
    return found !== null;
  }

  #inHeader() {
    const bracket = this.#buffer.search(/\{|^\s*\[/);
    const header = (bracket < 0 ? this.#buffer : this.#buffer.slice(0, bracket)).trim();
    const mayBeCall = header === "" || (this.#form.header !== null && header.length < MAX_HEADER);
    if (bracket < 0 && mayBeCall) return false;
    const name = header === "" ? undefined : this.#form.header?.exec(header)?.[1];
    if (header !== "" && name === undefined) {
      this.#content(this.#pending);
      this.#state = "text";
      return true;
    }
    this.#beginJson(this.#pending + this.#buffer.slice(0, bracket), name);
    this.#buffer = this.#buffer.slice(bracket);
    return true;
  }

  /** @param {string} pending @param {string} [name] Of the function whose arguments the JSON is. */
  #beginJson(pending, name) {
    this.#state = "json";
    this.#pending = pending;
    this.#known = false;
    this.#call = noCall("");
    if (name === undefined) {
      this.#json = new JsonReader((letter) => this.#letter(letter));
      return;
    }
    this.#call.name = name;
    this.#nameEnded();
    this.#json = new JsonReader(({ raw }) => this.#argument(raw));
  }

  #inJson() {
    const taken = this.#json.push(this.#buffer);
    if (!this.#known) this.#pending += this.#buffer.slice(0, taken);
    this.#buffer = this.#buffer.slice(taken);
    if (this.#json.state === "open") return false;
    if (!this.#known) this.#content(this.#pending);
    else this.#closeCall();
    this.#state = this.#known ? "between" : "text";
    return true;
  }

  /** @param {Letter} letter */
  #letter({ path, raw, inString, decoded, ended }) {
    if (path[0] === "response") {
      this.#known = true;
      return this.#content(this.#form.jsonResponse ? raw : decoded);
    }
    let at = path[0] === "tool_calls" ? 1 : 0;
    if (typeof path[at] === "number") at += 1;
    const place = path.slice(0, at).join("/");
    if (at < path.length && place !== this.#call.place) {
      this.#closeCall();
      this.#call = noCall(place);
    }
    if (path[at] === "function") at += 1;
    const key = String(path[at]);
    const isWhole = path.length === at + 1;
    if (NAME.includes(key) && isWhole) {
      this.#call.name += decoded;
      if (ended) this.#nameEnded();
    } else if (ARGUMENTS.includes(key)) {
      // Arguments that are a string are JSON within it.
      this.#argument(isWhole && inString ? decoded : raw);
    }
  }

  #nameEnded() {
    const call = this.#call;
    if (call.told || !this.#names.has(call.name) || this.#calls >= this.#maxCalls) return;
    call.told = true;
    this.#known = true;
    this.#space = "";
    this.#parts.push({ type: "call", call: this.#calls, name: call.name });
    this.#calls += 1;
    const early = call.early;
    call.early = "";
    this.#argument(early);
  }

  /** @param {string} text */
  #argument(text) {
    if (text === "") return;
    if (!this.#call.told) {
      this.#call.early += text;
      return;
    }
    this.#call.hasArguments = true;
    const last = this.#parts.at(-1);
    if (last?.type === "arguments") last.text += text;
    else this.#parts.push({ type: "arguments", call: this.#calls - 1, text });
  }

  /** The end of a call: where it has no arguments, they are none. */
  #closeCall() {
    if (this.#call.told && !this.#call.hasArguments) this.#argument("{}");
    if (this.#call.told && this.#calls >= this.#maxCalls) this.over = true;
    this.#call.told = false;
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

/** @param {string} place */
function noCall(place) {
  return { place, name: "", told: false, early: "", hasArguments: false };
}
