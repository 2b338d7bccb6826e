// A loaded model as the page sees it: a thin handle; the model itself is in the worker.

import { Adapter, namedAdapters } from "./adapter.js";
import { wrong } from "./checks.js";
import { UnloadedError, WorkerCrashedError } from "./errors.js";
import { Generation } from "./generation.js";
import { languageOf } from "./languages.js";
import * as options from "./options.js";
import { exported } from "./save.js";
import { open as openSession, restore as restoreSession } from "./session.js";
import * as values from "./values.js";

/**
 * @typedef {import("./types.js").ModelInfo} ModelInfo
 * @typedef {import("./types.js").GenerateOptions} GenerateOptions
 * @typedef {import("./types.js").ChatOptions} ChatOptions
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./client.js").Client} Client
 * @typedef {import("./session.js").Session} Session
 */

/**
 * A loaded model. Requests on one model run in the order of the calls, texts that are asked for at the same time side by side
 * where that is on (`LoadOptions.maxBatch`); `tokenize`, `detokenize` and
 * `chatPrompt` run between the tokens of a generation. After `unload` every call fails with `UnloadedError`, after the
 * worker has died with `WorkerCrashedError`. Where the GPU is lost, the model is loaded again on another (see `LoadOptions.recover`);
 * then texts under way go on, and sessions and adapters stay usable. Wrong arguments throw or reject with `InputError`.
 */
export class Model {
  /** What is known of the model: name, shape, backend, sizes. Another object where its device was lost and it was loaded again. */
  info;
  #client;
  #id;
  /** What `save` gives back of it; not bytes, which only the page should hold. @type {import("./types.js").Source | null} */
  #source;
  /** @type {Promise<void> | null} */
  #unloading = null;

  /**
   * @param {Client} client
   * @param {number} id
   * @param {ModelInfo} info
   * @param {import("./types.js").Source} source
   * @param {(progress: import("./types.js").Progress) => void} [onProgress] Told of later loads too, when the device was lost.
   * @hideconstructor
   */
  constructor(client, id, info, source, onProgress) {
    this.#client = client;
    this.#id = id;
    this.info = info;
    this.#source = source instanceof ArrayBuffer || source instanceof Uint8Array ? null : source;
    client.listen(id, (event) => {
      if (event.info) this.info = event.info;
      else onProgress?.(event);
    });
  }

  /**
   * Continues a text.
   * ```js
   * for await (const piece of model.generate("Once upon a time")) print(piece);
   * ```
   * @param {string | Uint32Array | readonly number[]} prompt Text, or token ids taken as they are. With a text the
   *   special tokens that the model wants around it (such as BOS) are added.
   * @param {GenerateOptions} [generateOptions]
   * @returns {Generation} Iterating it, or its `result`, throws `ContextFullError` where the prompt does not fit,
   *   `InputError` where it is empty, and the device's errors.
   * @throws {InputError} At once, for an unknown option or a value out of range.
   */
  generate(prompt, generateOptions = {}) {
    const call = options.checkGenerateOptions(generateOptions, this.info.nVocab);
    const input = values.checkPrompt(prompt, this.info.nVocab);
    const draft = this.#draft(call.draft);
    const { constraint } = call;
    return this.#stream("generate", { prompt: input, sampling: this.#sampling(call), draft, constraint }, call);
  }

  /**
   * Answers a conversation: the model's chat template makes the prompt, special tokens in it are read as such, and the
   * answer ends where the model ends its turn.
   * @param {readonly Message[]} messages
   * @param {ChatOptions} [chatOptions] As for `generate`, and `template`: values for the template.
   * @returns {Generation} As `generate`; `TemplateError` where the model has no template or it refuses the messages.
   * @throws {InputError} At once, for an unknown option or a value out of range.
   */
  chat(messages, chatOptions = {}) {
    const { template, ...call } = options.checkChatOptions(chatOptions, this.info.nVocab);
    const given = { messages: values.checkMessages(messages), template, draft: this.#draft(call.draft) };
    return this.#stream("chat", { ...given, sampling: this.#sampling(call), constraint: call.constraint }, call);
  }

  /**
   * The prompt that `chat` would make.
   * @param {readonly Message[]} messages
   * @param {import("./types.js").TemplateOptions} [templateOptions]
   * @returns {Promise<string>} Rejects with `TemplateError`.
   */
  async chatPrompt(messages, templateOptions = {}) {
    const template = options.checkTemplateOptions(templateOptions);
    return this.#call("chatPrompt", { messages: values.checkMessages(messages), template }).reply;
  }

  /**
   * @param {string} text
   * @param {{addSpecial?: boolean, parseSpecial?: boolean}} [tokenizeOptions] `addSpecial` (default true): add the
   *   tokens that the model wants around a text, such as BOS. `parseSpecial` (default false): read `<|name|>` and the
   *   like as the special tokens they name.
   * @returns {Promise<Uint32Array>} Token ids. Rejects with `TokenizerError`.
   */
  async tokenize(text, tokenizeOptions = {}) {
    const flags = options.checkTokenizeOptions(tokenizeOptions);
    return this.#call("tokenize", { text: values.checkText("text", text), ...flags }).reply;
  }

  /**
   * @param {Uint32Array | readonly number[]} ids
   * @param {{skipSpecial?: boolean}} [detokenizeOptions] `skipSpecial` (default true): leave special tokens out.
   * @returns {Promise<string>} Rejects with `TokenizerError`.
   */
  async detokenize(ids, detokenizeOptions = {}) {
    const flags = options.checkDetokenizeOptions(detokenizeOptions);
    return this.#call("detokenize", { ids: values.checkIds("ids", ids, this.info.nVocab), ...flags }).reply;
  }

  /**
   * What the model's head puts out, after each token of `ids`: of a language model the raw scores of every possible next
   * token, of a classifier those of its labels.
   * @param {Uint32Array | readonly number[]} ids At least one. Of an encoder-decoder, what the encoder reads.
   * @param {import("./types.js").LogitsOptions} [logitsOptions]
   * @returns {Promise<Float32Array>} Row-major, [n, info.nOut], with a row for each of `ids`, or of `decoderIds` where
   *   they are given. Rejects with `ContextFullError`, and with the device's errors.
   */
  async logits(ids, logitsOptions = {}) {
    const { nVocab } = this.info;
    const given = { ids: values.checkIds("ids", ids, nVocab, { mayBeEmpty: false }) };
    const { adapters, ...rest } = options.checkLogitsOptions(logitsOptions, nVocab);
    return this.#call("logits", { ...given, ...rest, adapters: namedAdapters(this, adapters) }).reply;
  }

  /**
   * Texts as points: near ones mean similar things.
   * ```js
   * const [a, b] = await model.embed(["a cat", "a kitten"]);
   * const similarity = a.reduce((sum, x, i) => sum + x * b[i], 0); // the cosine, as both have length 1
   * ```
   * @param {string | readonly string[]} texts
   * @param {import("./types.js").EmbedOptions} [embedOptions]
   * @returns {Promise<Float32Array[]>} One for each text, of `info.nEmbd` numbers or as many as asked for.
   */
  async embed(texts, embedOptions = {}) {
    const given = { pooling: undefined, normalize: true, dimensions: undefined, ...options.checkEmbedOptions(embedOptions) };
    return this.#task("embed", { texts: values.checkTexts(texts), ...given });
  }

  /**
   * The labels that fit each text best, best first.
   * @param {string | readonly string[]} texts
   * @param {{topK?: number, adapters?: import("./types.js").Adapters}} [classifyOptions] `topK` (default all): how many labels
   *   of each text.
   * @returns {Promise<import("./types.js").Label[][]>} One list for each text.
   */
  async classify(texts, classifyOptions = {}) {
    const given = { topK: options.ALL, ...options.checkTopK("classify", classifyOptions) };
    return this.#task("classify", { texts: values.checkTexts(texts), ...given });
  }

  /**
   * The entities in a text, in its order.
   * @param {string} text
   * @param {{aggregation?: "none" | "simple" | "first", adapters?: import("./types.js").Adapters}} [tagOptions] `"simple"` (the default) joins neighbouring tokens of
   *   one kind, `"first"` gives a word the label of its first token before that, `"none"` tells every token's label.
   * @returns {Promise<import("./types.js").Entity[]>}
   */
  async tag(text, tagOptions = {}) {
    return this.#task("tag", { text: values.checkText("text", text), ...options.checkTagOptions(tagOptions) });
  }

  /**
   * The answer to a question, as a part of the context.
   * @param {string} question
   * @param {string} context However long: it is read in windows where it must be.
   * @param {{topK?: number, maxAnswerLength?: number, adapters?: import("./types.js").Adapters}} [answerOptions] `topK` (default 1) answers of at most
   *   `maxAnswerLength` (default 15) tokens.
   * @returns {Promise<import("./types.js").Answer[]>} Best first.
   */
  async answer(question, context, answerOptions = {}) {
    const given = { topK: 1, maxAnswerLength: 15, ...options.checkAnswerOptions(answerOptions) };
    const texts = { question: values.checkText("question", question), context: values.checkText("context", context) };
    return this.#task("answer", { ...texts, ...given });
  }

  /**
   * What could stand in place of each mask (`[MASK]` or as the tokenizer spells it) in a text.
   * @param {string} text
   * @param {{topK?: number, adapters?: import("./types.js").Adapters}} [fillOptions] `topK` (default 5) tokens for each mask.
   * @returns {Promise<import("./types.js").Filling[][]>} A list for each mask, best first.
   */
  async fillMask(text, fillOptions = {}) {
    const given = { topK: 5, ...options.checkTopK("fillMask", fillOptions) };
    return this.#task("fillMask", { text: values.checkText("text", text), ...given });
  }

  /**
   * How well each text goes with the query, by a cross-encoder or a reward model: the raw score of its one label.
   * @param {string} query
   * @param {string | readonly string[]} texts
   * @param {{adapters?: import("./types.js").Adapters}} [scoreOptions]
   * @returns {Promise<Float32Array>} [texts.length]
   */
  async score(query, texts, scoreOptions = {}) {
    const given = options.checkScoreOptions(scoreOptions);
    return this.#task("score", { query: values.checkText("query", query), texts: values.checkTexts(texts), ...given });
  }

  /**
   * Loads an adapter that was made for this model: LoRA or DoRA in PEFT's form or as GGUF, or a soft prompt of PEFT's. It shapes
   * what a request says that names it in `adapters`; the model's own weights stay as they are.
   * @param {import("./types.js").Source} source As for `load`: the URL of a folder (ending in a slash, or naming a file in it)
   *   or of a GGUF file, files, or bytes of a GGUF file.
   * @param {import("./types.js").AdapterOptions} [adapterOptions]
   * @returns {Promise<Adapter>} Rejects with `FormatError` (damaged, or made for another model), `UnsupportedError` (a kind of
   *   adapter that is not run), `SourceError`, `NotFiniteError`, `OutOfMemoryError`, or the reason of an aborted signal.
   */
  async loadAdapter(source, adapterOptions = {}) {
    const { signal, onProgress, name } = options.checkAdapterOptions(adapterOptions);
    const from = values.checkSource(source);
    signal?.throwIfAborted();
    const { id, reply } = this.#call("loadAdapter", { source: from, name }, onProgress);
    const onAbort = () => this.#client.cancel(id, signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      const { id: number, ...info } = await reply;
      const unload = () => ignoringTheEnd(this.#call("unloadAdapter", { adapter: number }).reply);
      return new Adapter(this, number, info, unload);
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /**
   * A conversation, or with `text` a text, that goes on from call to call.
   * ```js
   * const session = await model.session({ messages: [{ role: "system", content: "Be brief." }] });
   * for await (const piece of session.chat("What is a cat?")) print(piece);
   * ```
   * @param {import("./types.js").SessionOptions} [sessionOptions]
   * @returns {Promise<Session>} Rejects with `InputError` for a model that is no decoder.
   */
  async session(sessionOptions = {}) {
    return openSession(this.#host(), options.checkSessionOptions(sessionOptions, this.info.nVocab));
  }

  /**
   * A session as `Session.save` gave it, in this or another visit.
   * @param {Uint8Array | ArrayBuffer} bytes
   * @param {{onEvict?: (messages: Message[]) => void}} [restoreOptions] As of `session`.
   * @returns {Promise<Session>} Rejects with `FormatError` for other bytes, with `InputError` for those of another model.
   */
  async restoreSession(bytes, restoreOptions = {}) {
    const how = options.checkRestoreOptions(restoreOptions);
    return restoreSession(this.#host(), values.checkBytes(bytes), how);
  }

  /**
   * Memory held now by all models of this model's worker.
   * @returns {Promise<import("./types.js").MemoryUse>}
   */
  async memory() {
    return this.#call("memory", {}).reply;
  }

  /**
   * The model's files as they are, for a download or another `load`, which takes the array. They come from storage where
   * they are kept, and are then read only when they are used; else from where they lie.
   * @returns {Promise<import("./types.js").NamedFile[]>} Paths are relative to the folder. Rejects with `SourceError` where
   *   a file cannot be fetched, and with `InputError` for a model that was loaded from bytes, which the page has.
   */
  save() {
    return exported(this.#source, this.info.storage.files);
  }

  /**
   * Destroys the model: its memory and its GPU buffers. A running generation ends with `UnloadedError`. May be called
   * again.
   * @returns {Promise<void>} Resolves when all is destroyed; so it does where the worker has died.
   */
  unload() {
    if (!this.#unloading) {
      this.#client.listen(this.#id, null);
      this.#unloading = ignoringTheEnd(this.#client.call("unload", { model: this.#id }).reply);
    }
    return this.#unloading;
  }

  /** @returns {import("./session.js").Host} */
  #host() {
    return {
      call: (op, args, onEvent) => this.#call(op, args, onEvent),
      abort: (id) => this.#client.abort(id),
      sampling: (call) => this.#sampling(call),
      nVocab: this.info.nVocab,
    };
  }

  /**
   * @param {unknown} model
   * @returns {number | undefined} Its id.
   */
  #draft(model) {
    if (model === undefined) return undefined;
    if (model instanceof Model && model !== this && model.#client === this.#client) return model.#id;
    throw wrong("draft", "expected another model that was loaded with the same worker");
  }

  /** @param {import("./options.js").CheckedCall} call */
  #sampling({ sampling, adapters }) {
    const { sourceLanguage, targetLanguage, ...rest } = sampling;
    const named = (/** @type {string | undefined} */ name) => name && languageOf(name, this.info.languages);
    const [from, to] = [named(sourceLanguage), named(targetLanguage)];
    return { ...rest, sourceLanguage: from, targetLanguage: to, adapters: namedAdapters(this, adapters) };
  }

  /** @param {string} task @param {{adapters?: unknown} & Record<string, unknown>} given @returns {Promise<any>} */
  #task(task, { adapters, ...given }) {
    return this.#call("task", { request: { task, ...given }, adapters: namedAdapters(this, adapters) }).reply;
  }

  /**
   * @param {string} op
   * @param {object} args
   * @param {import("./options.js").CheckedCall} call
   */
  #stream(op, args, { sampling, signal, onPrefill }) {
    return new Generation(
      (onStep) => {
        const { id, reply } = this.#call(op, args, onStep);
        return { reply, abort: () => this.#client.abort(id) };
      },
      { seed: sampling.seed, signal, onPrefill },
    );
  }

  /**
   * @param {string} op
   * @param {object} args
   * @param {(event: any) => void} [onEvent]
   */
  #call(op, args, onEvent) {
    if (this.#unloading) return { id: 0, reply: Promise.reject(new UnloadedError("the model was unloaded")) };
    return this.#client.call(op, { model: this.#id, ...args }, onEvent);
  }
}

/** @param {Promise<void>} done Resolves too where what is to be destroyed is gone with its worker. */
function ignoringTheEnd(done) {
  return done.catch((error) => {
    const isGone = error instanceof WorkerCrashedError || error instanceof UnloadedError;
    if (!isGone) throw error;
  });
}
