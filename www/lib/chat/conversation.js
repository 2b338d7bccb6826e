// What was said, and the session of the model that has read it. No element knows of it, and it knows of none.

import { UnsupportedError } from "../errors.js";

/**
 * @typedef {import("../model.js").Model} Model
 * @typedef {import("../session.js").Session} Session
 * @typedef {import("../session.js").SessionCall} SessionCall
 * @typedef {{role: "user" | "assistant", content: string}} Said
 */

/**
 * Where a model has a chat template, a conversation; where it has none, one text that both write.
 */
export class Conversation {
  /** @type {Said[]} */
  said = [];
  #model;
  #system;
  /** What has read `said`; nothing where that is not so any more. @type {Session | null} */
  #session = null;
  /** How many of `said` the session has dropped because the context was full. */
  #gone = 0;
  /** Of a text: how many tokens it had before each of `said`. @type {number[]} */
  #marks = [];

  /**
   * @param {Model} model
   * @param {string} system What the model is told first; of a text, how it begins.
   */
  constructor(model, system) {
    if (model.info.kind !== "decoder" || model.info.task !== "generate") {
      const found = `${model.info.kind}, made to ${model.info.task}`;
      const hint = "name a model that writes text from left to right, such as Llama, Qwen or Gemma";
      throw new UnsupportedError(`intab-chat: this model is an ${found}: ${hint}`, { what: "model", found, hint });
    }
    this.#model = model;
    this.#system = system;
  }

  /** Whether the model answers; else it goes on with the text. */
  get answers() {
    return this.#model.info.hasChatTemplate;
  }

  /**
   * Writes what comes next. What comes of it becomes part of `said` as it is made; where nothing does, nothing.
   * @param {string} text The user's, or nothing where a text is to go on.
   * @param {SessionCall} options
   * @param {(generation: import("../generation.js").Generation) => Promise<void>} show Called once it has begun.
   * @returns {Promise<import("../types.js").GenerateResult>}
   */
  async next(text, options, show) {
    // What was said without an answer, as after an error, is said again with it: templates want turns.
    const waiting = this.answers ? this.#waiting() : [];
    const session = await this.#ready(this.said.slice(0, this.said.length - waiting.length));
    const asked = this.answers ? [...waiting, text].join("\n\n") : this.#joined(text);
    if (text !== "") this.#add({ role: "user", content: text });
    const answer = this.#add({ role: "assistant", content: "" });
    try {
      const generation = this.answers ? session.chat(asked, options) : session.generate(asked, options);
      await show(generation);
      const result = await generation.result;
      answer.content = result.text;
      // A generation that was ended before its turn leaves nothing in the session.
      if (result.text === "" || result.usage.totalTokens === 0) await this.#lose();
      return result;
    } catch (error) {
      await this.#lose();
      throw error;
    } finally {
      if (answer.content === "") this.#take(this.said.length - 1);
    }
  }

  /**
   * Takes back all from a message on.
   * @param {number} at
   */
  async rewind(at) {
    const session = this.#session;
    const count = this.said.length - at;
    const mark = this.#marks[at];
    const held = this.answers && session ? session.messages.filter(({ role }) => role !== "system").length : 0;
    const isSame = held === this.said.length - this.#gone;
    this.#take(at);
    if (!session) return;
    if (this.answers && isSame && at >= this.#gone) session.rewind(count);
    else if (!this.answers && session.ids.length >= mark) session.rewind(session.ids.length - mark);
    else await this.#lose();
  }

  async clear() {
    this.#take(0);
    await this.#lose();
  }

  /** Gives the session's memory back; `said` stays. */
  async close() {
    await this.#lose();
  }

  /** @param {number} from */
  #take(from) {
    this.said.splice(from);
    this.#marks.splice(from);
  }

  /** @param {Said} message @returns {Said} */
  #add(message) {
    this.#marks.push(this.#session && !this.answers ? this.#session.ids.length : 0);
    this.said.push(message);
    return message;
  }

  /** What the user said last, without an answer. */
  #waiting() {
    const answered = this.said.map(({ role }) => role).lastIndexOf("assistant");
    return this.said.slice(answered + 1).map(({ content }) => content);
  }

  /** @param {Said[]} said @returns {Promise<Session>} One that has read it. */
  async #ready(said) {
    if (this.#session) return this.#session;
    this.#gone = 0;
    if (this.answers) {
      const system = this.#system === "" ? [] : [{ role: "system", content: this.#system }];
      const onEvict = (/** @type {unknown[]} */ gone) => (this.#gone += gone.length);
      this.#session = await this.#model.session({ messages: [...system, ...turns(said)], overflow: "evict", onEvict });
    } else {
      const before = said.reduce((text, { content }) => text + joint(text, content) + content, this.#system);
      this.#session = await this.#model.session({ text: before, overflow: "shift" });
      // Where each of them began is not known any more: whoever takes one back begins a new session.
      this.#marks = said.map(() => Infinity);
    }
    return this.#session;
  }

  /** @param {string} text The user's, as it goes on with what stands before it. */
  #joined(text) {
    return joint(this.said.at(-1)?.content ?? this.#system, text) + text;
  }

  async #lose() {
    const session = this.#session;
    this.#session = null;
    await session?.destroy();
  }
}

/** @param {string} before @param {string} after @returns {string} A space, where words would run together. */
function joint(before, after) {
  return before === "" || after === "" || /\s$/.test(before) || /^[\s.,;:!?)]/.test(after) ? "" : " ";
}

/** @param {Said[]} said @returns {Said[]} Without two of the user's one after the other. */
function turns(said) {
  /** @type {Said[]} */
  const list = [];
  for (const { role, content } of said) {
    const last = list.at(-1);
    if (role === "user" && last?.role === "user") last.content += `\n\n${content}`;
    else list.push({ role, content });
  }
  return list;
}
