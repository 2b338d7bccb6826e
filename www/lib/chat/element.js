// The element: what its attributes ask for, and what becomes of it.

import { InputError } from "../errors.js";
import { load } from "../intab.js";
import { Conversation } from "./conversation.js";
import { TellingElement } from "./events.js";
import { markdownFrom } from "./renderer.js";
import { MessageView } from "./message-view.js";
import { ATTRIBUTES, loadingOptions, moment, RELOADING, writingOptions } from "./settings.js";
import { sheet } from "./style.js";
import { View } from "./view.js";
import { endings, errorWords } from "./words.js";

/** @typedef {import("../model.js").Model} Model */
/** @typedef {import("./types.js").ChatState} ChatState */
/** @typedef {import("./types.js").Said} Said */

const GREETING = "Say something. It stays on this device.";
const CONTINUES = "This model has no chat template: it does not answer, it goes on with your text.";
const NO_MODEL = 'No model is named: set the attribute model="…" to the address of a GGUF file or a model\'s folder.';

/**
 * A conversation with a model that runs in this page.
 * ```html
 * <script type="module" src="/lib/chat.js"></script>
 * <intab-chat model="/models/model.gguf" system="Be brief." max-tokens="400"></intab-chat>
 * ```
 * What stands between its tags greets while nothing has been said. Its parts can be styled (`::part(message)`), its colours set by
 * custom properties; both are listed in `style.js`. For its attributes see `ChatAttribute`, for its events `ChatEvents`.
 */
export class IntabChat extends TellingElement {
  static observedAttributes = ATTRIBUTES;

  /**
   * Options of `load` besides those that have attributes, for the next load.
   * @type {import("../types.js").LoadOptions}
   */
  loadOptions = {};
  /**
   * Options of `Session.chat` besides those that have attributes, for the next answers: `stop`, `constraint`, `adapters`….
   * @type {import("../session.js").SessionCall}
   */
  options = {};

  #view = new View({
    send: (text) => void this.send(text),
    stop: () => this.stop(),
    clear: () => void this.clear().then(() => this.#view.field.focus()),
    load: () => void this.load(),
  });
  /** As the page set it; else the attribute counts. @type {import("../types.js").Source | Model | null} */
  #given = null;
  /** @type {{model: Model, isOwn: boolean} | null} */
  #loaded = null;
  /** @type {Conversation | null} */
  #conversation = null;
  /** @type {MessageView[]} */
  #messages = [];
  /** @type {AbortController | null} */
  #loading = null;
  /** @type {import("../generation.js").Generation | null} */
  #generation = null;
  /** Ends when what is being written is done. @type {Promise<void> | null} */
  #writing = null;
  /** Ends a writing that has not begun yet. @type {AbortController | null} */
  #stopping = null;
  /** Which load is the latest. */
  #turn = 0;
  #failed = false;
  #scheduled = false;
  /** @type {Promise<import("./streaming.js").Markdown | null> | null} */
  #markdown = null;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open", delegatesFocus: true });
    root.adoptedStyleSheets = [sheet()];
    root.append(this.#view.root);
    const slot = /** @type {HTMLSlotElement} */ (root.querySelector("slot"));
    slot.append(GREETING);
    this.#view.show([]);
  }

  connectedCallback() {
    this.#describe();
    // One that is moved has its model.
    if (!this.#loaded && !this.#loading) this.#schedule();
  }

  disconnectedCallback() {
    // It may only be on its way to another place.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#turn += 1;
      void this.#drop();
    });
  }

  /** @param {string} name @param {string | null} before @param {string | null} value */
  attributeChangedCallback(name, before, value) {
    if (before === value) return;
    if (name === "system") void this.#converse();
    else if (name === "markdown-url") this.#markdown = null;
    this.#describe();
    if (name === "model") this.#given = null;
    if (RELOADING.includes(name) && this.isConnected) this.#schedule();
  }

  /**
   * The model: a source as `load` takes it, or a loaded model, which stays the page's.
   * @returns {import("../types.js").Source | Model | null}
   */
  get model() {
    return this.#given ?? this.getAttribute("model");
  }

  /** @param {import("../types.js").Source | Model | null} model */
  set model(model) {
    this.#given = model;
    if (this.isConnected) this.#schedule();
  }

  /** What the model is told first. @returns {string} */
  get system() {
    return this.getAttribute("system") ?? "";
  }

  /** @param {string} system */
  set system(system) {
    this.setAttribute("system", system);
  }

  /** What was said so far: a copy. @returns {Said[]} */
  get messages() {
    return (this.#conversation?.said ?? []).map((message) => ({ ...message }));
  }

  /** @returns {ChatState} */
  get state() {
    if (this.#writing) return "writing";
    if (this.#loading) return "loading";
    return this.#loaded ? "ready" : this.#failed ? "failed" : "empty";
  }

  /**
   * Loads the model anew. The conversation stays.
   * @returns {Promise<void>} Resolves when it is ready or has failed; an event says which.
   */
  async load() {
    const turn = (this.#turn += 1);
    await this.#drop();
    if (turn !== this.#turn) return; // another load has begun meanwhile
    this.#failed = false;
    const source = this.model;
    if (source === null || source === "") return this.#view.hint(NO_MODEL);
    const controller = (this.#loading = new AbortController());
    this.#refresh();
    try {
      moment(this);
      const model = isModel(source) ? source : await this.#fetch(source, controller.signal);
      if (controller.signal.aborted) return void (model === source || model.unload());
      this.#loaded = { model, isOwn: model !== source };
      await this.#converse();
      this.#view.quiet();
      this.#view.name = model.info.name;
      this.#describe();
      if (!this.#conversation?.answers) this.#view.hint(CONTINUES);
      this.#view.say("The model is ready");
      this.tell("intab-ready", { model });
    } catch (error) {
      if (this.#loading !== controller) return;
      if (controller.signal.aborted) this.#view.hint("Loading was cancelled.", "Load the model");
      else this.#fail(error);
    } finally {
      if (this.#loading === controller) this.#loading = null;
      this.#refresh();
    }
  }

  /**
   * Says something to the model.
   * @param {string} text Where the model goes on with a text instead of answering, it may be empty.
   * @returns {Promise<void>} Resolves when the answer is there, or an error was told.
   */
  async send(text) {
    if (this.state !== "ready" || (text === "" && !this.#goesOn)) {
      const problem = this.state === "ready" ? "expected a text" : `the state is "${this.state}", and has to be "ready"`;
      throw new InputError(`send: ${problem}`, { what: "send", problem });
    }
    this.#writing = this.#write(text).finally(() => {
      this.#writing = null;
      this.#generation = null;
      this.#refresh();
    });
    this.#refresh();
    return this.#writing;
  }

  /** Ends what is being written; what is there stays. */
  stop() {
    this.#stopping?.abort();
    this.#generation?.stop();
  }

  /** Writes the last answer again. @returns {Promise<void>} */
  async retry() {
    const { length } = this.#messages;
    if (length > 0) await this.#retryAt(this.#messages[length - 1].role === "user" ? length : length - 1);
  }

  /**
   * Takes back all from one of the user's messages on, and says something else there.
   * @param {number} index In `messages`.
   * @param {string} text
   * @returns {Promise<void>}
   */
  async edit(index, text) {
    await this.#halt();
    if (this.#messages[index]?.role !== "user") {
      const problem = `message ${index} is none of the user's`;
      throw new InputError(`edit: ${problem}`, { what: "index", problem });
    }
    await this.#again(index, text);
  }

  /** Forgets what was said. @returns {Promise<void>} */
  async clear() {
    await this.#halt();
    await this.#conversation?.clear();
    this.#messages = [];
    this.#view.show([]);
    this.#refresh();
    if (this.#loaded) this.#conversation?.answers ? this.#view.quiet() : this.#view.hint(CONTINUES);
    this.tell("intab-clear", {});
  }

  /** Whether nothing at all can be sent, as the model goes on with what is there. */
  get #goesOn() {
    return this.#conversation !== null && !this.#conversation.answers && this.#messages.length > 0;
  }

  /** @param {number} at @param {string} text */
  async #again(at, text) {
    if (this.state !== "ready" || !this.#conversation) return;
    await this.#conversation.rewind(at);
    this.#messages.splice(at);
    this.#view.show(this.#messages);
    await this.send(text);
  }

  /** @param {string} text */
  async #write(text) {
    const conversation = /** @type {Conversation} */ (this.#conversation);
    if (conversation.answers) this.#view.quiet();
    const { signal } = (this.#stopping = new AbortController());
    const stopped = new Promise((resolve) => signal.addEventListener("abort", () => resolve(null), { once: true }));
    // What shows Markdown may never come.
    const markdown = conversation.answers ? await Promise.race([this.#renderer(), stopped]) : null;
    if (signal.aborted) return;
    if (text !== "") this.#add("user", null, text).end("");
    const view = this.#add("assistant", markdown, "");
    view.wait();
    this.#view.say("The model is writing");
    try {
      if (text !== "") this.tell("intab-message", { role: "user", content: text });
      const options = { ...writingOptions(this), ...this.options };
      const result = await conversation.next(text, options, async (generation) => {
        this.#generation = generation;
        if (signal.aborted) generation.stop();
        for await (const piece of generation) {
          view.append(piece);
          this.tell("intab-piece", { text: piece });
        }
      });
      view.end(this.#ending(conversation, result));
      this.#view.say(result.text);
      this.tell("intab-message", { role: "assistant", content: result.text, result });
    } catch (error) {
      view.end("");
      // An answer that failed leaves nothing behind.
      this.#messages = this.#messages.filter((message) => message !== view);
      this.#view.show(this.#messages);
      this.#failIn(error);
    }
  }

  /** What is to be said about an answer. @param {Conversation} conversation @param {import("../types.js").GenerateResult} result */
  #ending({ answers }, { text, finishReason }) {
    if (text === "" && finishReason === "eos") return "The model had nothing to say.";
    // A text has no end to be cut off from.
    return (answers || finishReason === "abort" ? endings[finishReason] : "") ?? "";
  }

  /** @param {"user" | "assistant"} role @param {import("./streaming.js").Markdown | null} markdown @param {string} text */
  #add(role, markdown, text) {
    const answers = this.#conversation?.answers ?? true;
    const view = new MessageView(role, { answers, markdown }, {
      retry: (which) => this.#pick(which, (at) => this.#retryAt(at)),
      edit: (which, words) => this.#pick(which, (at) => this.edit(at, words)),
    });
    if (text !== "") view.append(text);
    this.#messages.push(view);
    this.#view.show(this.#messages);
    return view;
  }

  /** @param {MessageView} view @param {(at: number) => Promise<void>} then */
  #pick(view, then) {
    const at = this.#messages.indexOf(view);
    if (at >= 0) void then(at).then(() => this.#view.field.focus());
  }

  /** Writes an answer again, and forgets what came after it. @param {number} at In `messages`, or behind them. */
  async #retryAt(at) {
    await this.#halt();
    const asked = this.#messages[at - 1];
    if (asked?.role === "user") await this.#again(at - 1, asked.text);
    else await this.#again(at, "");
  }

  /** @param {unknown} error While an answer was written. */
  #failIn(error) {
    if (errorWords(error).isLoss) {
      void this.#drop();
      this.#fail(error);
    } else {
      this.#view.error(error, false);
      this.tell("intab-error", { error });
    }
  }

  /** @param {unknown} error The model is not there. */
  #fail(error) {
    this.#failed = true;
    this.#view.error(error, true);
    this.tell("intab-error", { error });
  }

  /** @param {import("../types.js").Source} source @param {AbortSignal} signal */
  #fetch(source, signal) {
    const onProgress = (/** @type {import("../types.js").Progress} */ progress) => {
      if (signal.aborted) return;
      // A device that was lost has another one.
      if (progress.stage === "recovered") this.#view.quiet();
      else this.#view.progress(progress, () => (this.#loading ? this.#loading.abort() : void this.#drop()));
      this.tell("intab-progress", progress);
      this.loadOptions.onProgress?.(progress);
    };
    const signals = [signal, this.loadOptions.signal].filter((one) => one !== undefined);
    onProgress({ stage: "runtime", loaded: 0, total: 0 });
    return load(source, { ...loadingOptions(this), ...this.loadOptions, onProgress, signal: AbortSignal.any(signals) });
  }

  /** Goes on with what was said, with the model that is there now. */
  async #converse() {
    if (!this.#loaded) return;
    await this.#halt();
    const before = this.#conversation;
    await before?.close();
    const conversation = new Conversation(this.#loaded.model, this.system);
    conversation.said = before?.said ?? [];
    this.#conversation = conversation;
  }

  /** What shows Markdown; where it cannot be had, text is shown as it is. */
  #renderer() {
    this.#markdown ??= markdownFrom(this.getAttribute("markdown-url")).catch((error) => {
      this.#markdown = null;
      this.tell("intab-error", { error });
      return null;
    });
    return this.#markdown;
  }

  /** Ends what is being written, and waits for that. */
  async #halt() {
    this.stop();
    await this.#writing;
  }

  /** Gives back what is loaded, or ends the load. */
  async #drop() {
    this.#loading?.abort();
    this.#loading = null;
    const loaded = this.#loaded;
    this.#loaded = null;
    await this.#halt();
    await this.#conversation?.close();
    if (loaded?.isOwn) await loaded.model.unload();
    this.#refresh();
  }

  /** Several changes in a row are one. */
  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (this.isConnected) void this.#begin();
    });
  }

  async #begin() {
    try {
      if (moment(this) === "click" && !this.#loaded && this.model) {
        this.#view.hint("The model is loaded when you want it.", "Load the model");
        return;
      }
    } catch (error) {
      return this.#fail(error);
    }
    await this.load();
  }

  #describe() {
    this.#view.label = this.getAttribute("label") ?? "Chat with a model";
    this.#view.field.placeholder = this.getAttribute("placeholder") ?? (this.#conversation?.answers === false ? "Begin a text" : "Write a message");
  }

  #refresh() {
    this.#view.state = { isReady: this.state === "ready", isWriting: this.#writing !== null, goesOn: this.#goesOn };
    this.dataset.state = this.state;
  }
}

/**
 * By what it can do, since another copy of the library may have made it.
 * @param {import("../types.js").Source | Model} source
 * @returns {source is Model}
 */
function isModel(source) {
  return typeof source === "object" && "session" in source && "info" in source;
}
