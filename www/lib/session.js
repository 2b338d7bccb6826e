// A conversation or a text that goes on from call to call. What the model has read of it stays in its memory, as far as that
// reaches, also while other sessions have their turn.

import { wrong } from "./checks.js";
import { FormatError, UnloadedError, WorkerCrashedError } from "./errors.js";
import { Generation } from "./generation.js";
import * as options from "./options.js";
import * as values from "./values.js";

/**
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").SessionOptions} SessionOptions
 * @typedef {Omit<import("./types.js").GenerateOptions, "draft" | "parseSpecial">} SessionCall
 */

/**
 * A call as it reaches the worker, and what stays on the page.
 * @typedef {object} Asked
 * @property {import("./types.js").SamplingOptions} sampling
 * @property {import("./constraint.js").WireConstraint} [constraint]
 * @property {AbortSignal} [signal]
 * @property {(progress: {done: number, total: number}) => void} [onPrefill]
 */

/**
 * How a session reaches its model.
 * @typedef {object} Host
 * @property {(op: string, args: object, onEvent?: (event: any) => void) => {id: number, reply: Promise<any>}} call
 * @property {(id: number) => void} abort
 * @property {(call: import("./options.js").CheckedCall) => import("./types.js").SamplingOptions} sampling With its adapters.
 * @property {number} nVocab
 */

/**
 * What a session holds: messages, or a text as token ids.
 * @typedef {{messages: Message[], ids: null} | {messages: null, ids: number[]}} Held
 */

/**
 * What a saved session tells besides ids.
 * @typedef {{messages: Message[] | null, settings: Settings}} Note
 */

/**
 * What stays the same: `keep` are the tokens of a text that stay where it is shifted; where it is not, none.
 * @typedef {{template: Record<string, unknown>, overflow: "error" | "shift" | "evict", keep?: number}} Settings
 */

/**
 * A session of a model: see `Model.session`. A call while an answer is being written, and any after `destroy`, fails with
 * `InputError`. Where a generation was aborted, its answer is being written until `result` resolves.
 */
export class Session {
  #host;
  #number;
  /** @type {Held} */
  #held;
  #settings;
  /** The answer that is being written. @type {Generation | null} */
  #writing = null;
  #destroyed = false;

  /**
   * @param {Host} host
   * @param {number} number Its own, in the worker.
   * @param {Held} held
   * @param {Settings & {onEvict?: (messages: Message[]) => void}} settings
   * @hideconstructor
   */
  constructor(host, number, held, settings) {
    this.#host = host;
    this.#number = number;
    this.#held = held;
    this.#settings = settings;
  }

  /** The conversation so far: a copy. Of a text, none. @returns {Message[]} */
  get messages() {
    return structuredClone(this.#held.messages ?? []);
  }

  /** The ids of the text so far; of a conversation, none. @returns {Uint32Array} */
  get ids() {
    return Uint32Array.from(this.#held.ids ?? []);
  }

  /**
   * Answers; the message and the answer become part of the session. Where the generation fails or is aborted by its signal, both
   * are taken back; what was made before `stop()` stays.
   * @param {string | Message | readonly Message[]} message A string is the user's.
   * @param {SessionCall} [generateOptions]
   * @returns {Generation} As `Model.chat`.
   * @throws {InputError} For a session of a text.
   */
  chat(message, generateOptions = {}) {
    const call = this.#call("chat", generateOptions);
    const messages = this.#conversation("chat");
    const added = checkMessage(message);
    const before = [...messages];
    messages.push(...added);
    const { template, overflow, onEvict } = this.#settings;
    /** @type {Message[]} */
    const gone = [];
    const evicted = (/** @type {any} */ { start, count }) => void gone.push(...messages.splice(start, count));
    const args = { messages: [...messages], template, evicts: overflow === "evict" };
    return this.#write(
      "chat",
      args,
      call,
      evicted,
      (text) => {
        messages.push({ role: "assistant", content: text });
        if (gone.length > 0) onEvict?.(gone);
      },
      () => messages.splice(0, messages.length, ...before),
    );
  }

  /**
   * Goes on with the text, which `text` is added to; what is written becomes part of it. Otherwise as `chat`.
   * @param {string | Uint32Array | readonly number[]} [text]
   * @param {SessionCall} [generateOptions]
   * @returns {Generation} As `Model.generate`.
   * @throws {InputError} For a session of a conversation.
   */
  generate(text = "", generateOptions = {}) {
    const call = this.#call("generate", generateOptions);
    const ids = this.#text("generate");
    const added = text === "" ? new Uint32Array() : values.checkPrompt(text, this.#host.nVocab);
    const before = ids.length;
    return this.#write(
      "goOn",
      { ids: Uint32Array.from(ids), added, keep: this.#settings.keep },
      call,
      ({ ids: read }) => ids.push(...read),
      (_, tokens) => ids.push(...tokens),
      () => ids.splice(before),
    );
  }

  /**
   * Adds messages without an answer, such as a tool's result or an answer from elsewhere.
   * @param {string | Message | readonly Message[]} message
   */
  append(message) {
    this.#conversation("append").push(...checkMessage(message));
  }

  /**
   * Takes back the last messages of a conversation or the last tokens of a text.
   * @param {number} n
   * @returns {number} How many there are left.
   */
  rewind(n) {
    values.checkCount("rewind", n);
    const list = this.#held.messages ? this.#conversation("rewind") : this.#text("rewind");
    list.splice(Math.max(list.length - n, 0));
    return list.length;
  }

  /**
   * Another session that goes on from here. What both have in common is read once.
   * @returns {Promise<Session>}
   */
  async fork() {
    this.#check("fork");
    const held = /** @type {Held} */ (structuredClone(this.#held));
    const number = await this.#host.call("openSession", {}).reply;
    return new Session(this.#host, number, held, this.#settings);
  }

  /**
   * Tokens of all that the session holds, an answer's beginning not counted. Of a text that shifts they may be more than the
   * context has room for.
   * @returns {Promise<number>}
   */
  async contextUsage() {
    this.#check("contextUsage");
    return (await this.#ids()).length;
  }

  /**
   * The session as bytes, for `Model.restoreSession` at another visit: its text and, where the model has them, the keys and values,
   * which are large (their size for a token is that of the model's cache for one).
   * @returns {Promise<Uint8Array>}
   */
  async save() {
    this.#check("save");
    const { onEvict: _, ...settings } = this.#settings;
    const note = JSON.stringify(/** @type {Note} */ ({ messages: this.#held.messages, settings }));
    const ids = await this.#ids();
    return this.#host.call("saveSession", { session: this.#number, ids, note }).reply;
  }

  /**
   * Gives the session's memory back; an answer that is being written ends within a token, with the finish reason `"abort"`. May be
   * called again.
   * @returns {Promise<void>}
   */
  async destroy() {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#writing?.stop();
    await this.#writing?.result.catch(() => {}); // whoever asked for it hears of that
    await this.#host.call("closeSession", { session: this.#number }).reply.catch((error) => {
      // Then it is gone already.
      if (!(error instanceof UnloadedError || error instanceof WorkerCrashedError)) throw error;
    });
  }

  /** @returns {Promise<Uint32Array>} */
  async #ids() {
    const { messages, ids } = this.#held;
    if (ids) return Uint32Array.from(ids);
    if (messages.length === 0) return new Uint32Array();
    const template = { ...this.#settings.template, add_generation_prompt: false };
    const text = await this.#host.call("chatPrompt", { messages, template }).reply;
    return this.#host.call("tokenize", { text, addSpecial: false, parseSpecial: true }).reply;
  }

  /**
   * @param {string} op
   * @param {object} args
   * @param {Asked} call
   * @param {(event: any) => void} onOwn For what the worker tells of the session.
   * @param {(text: string, tokens: Uint32Array) => void} keep
   * @param {() => void} takeBack
   */
  #write(op, args, call, onOwn, keep, takeBack) {
    const { signal, onPrefill, ...given } = call;
        const generation = new Generation(
      (onStep) => {
        const onEvent = (/** @type {any} */ event) => (event.type === "session" ? onOwn(event) : onStep(event));
        const { id, reply } = this.#host.call(op, { ...args, session: this.#number, ...given }, onEvent);
        return { reply, abort: () => this.#host.abort(id) };
      },
      { seed: given.sampling.seed, signal, onPrefill },
    );
    this.#writing = generation;
    const ended = (/** @type {() => void} */ then) => {
      this.#writing = null;
      then();
    };
    generation.result.then(
      // Without any usage it was ended before its turn.
      ({ text, tokens, usage }) =>
        ended(() => (signal?.aborted || usage.totalTokens === 0 ? takeBack() : keep(text, tokens))),
      () => ended(takeBack),
    );
    return generation;
  }

  /**
   * What a call asks for, checked before anything of the session changes.
   * @param {string} what
   * @param {SessionCall} given
   * @returns {Asked}
   */
  #call(what, given) {
    const call = options.checkSessionCall(what, given, this.#host.nVocab);
    const { signal, onPrefill, constraint } = call;
    return { sampling: this.#host.sampling(call), signal, onPrefill, constraint };
  }

  /** @param {string} what @returns {Message[]} */
  #conversation(what) {
    this.#check(what);
    if (!this.#held.messages) throw wrong(what, "this session is a text: it has no messages");
    return this.#held.messages;
  }

  /** @param {string} what @returns {number[]} */
  #text(what) {
    this.#check(what);
    if (!this.#held.ids) throw wrong(what, "this session is a conversation: use chat");
    return this.#held.ids;
  }

  /** @param {string} what */
  #check(what) {
    if (this.#destroyed) throw wrong(what, "the session was destroyed");
    if (this.#writing) throw wrong(what, "an answer is still being written: wait for its result");
  }
}

/**
 * @param {Host} host
 * @param {import("./options.js").CheckedSession} asked
 */
export async function open(host, { messages, text, ...settings }) {
  const ids = text === undefined ? null : await idsOf(host, text);
  const number = await host.call("openSession", {}).reply;
  const keep = settings.overflow === "shift" ? (ids?.length ?? 0) : undefined;
  const held = ids ? { messages: null, ids } : { messages: messages ?? [], ids: null };
  return new Session(host, number, held, { ...settings, keep });
}

/**
 * @param {Host} host
 * @param {Uint8Array} bytes
 * @param {{onEvict?: (messages: Message[]) => void}} how
 */
export async function restore(host, bytes, { onEvict }) {
  const { session, ids, note } = await host.call("restoreSession", { bytes }).reply;
  const { messages, settings } = await noteOf(note, () => host.call("closeSession", { session }).reply);
  /** @type {Held} */
  const held = messages ? { messages, ids: null } : { messages: null, ids: [...ids] };
  return new Session(host, session, held, { ...settings, onEvict });
}

/**
 * @param {string} text
 * @param {() => Promise<void>} giveUp
 * @returns {Promise<Note>} Rejects with `FormatError` where it is not one that `save` wrote.
 */
async function noteOf(text, giveUp) {
  try {
    const note = JSON.parse(text);
    const isNote = (note.messages === null || Array.isArray(note.messages)) && typeof note.settings === "object";
    if (isNote) return note;
  } catch {
    // Told below.
  }
  await giveUp();
  const problem = "its note is not one that Session.save wrote";
  throw new FormatError(`the saved session: note: ${problem}`, { file: "the saved session", field: "note", offset: 0, problem });
}

/** @param {Host} host @param {string | Uint32Array} text @returns {Promise<number[]>} */
async function idsOf(host, text) {
  if (text === "") return [];
  if (typeof text !== "string") return [...text];
  return [...(await host.call("tokenize", { text, addSpecial: true, parseSpecial: false }).reply)];
}

/** @param {string | Message | readonly Message[]} message @returns {Message[]} */
function checkMessage(message) {
  if (typeof message === "string") return [{ role: "user", content: message }];
  return values.checkMessages(Array.isArray(message) ? message : [message]);
}
