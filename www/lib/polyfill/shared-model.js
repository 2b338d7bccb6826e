// A model that may be unloaded between calls, as others need its room; a call that needs it loads it again.

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./types.js").AnyGeneration} AnyGeneration
 */

/** Has the calls of the model that it stands for, and keeps it while one runs. */
export class SharedModel {
  #loadable;
  /** Uses for several calls, which go on with the load that they began with. @type {import("../loadable.js").Use<AnyModel>[]} */
  #kept = [];

  /**
   * @param {import("../loadable.js").Loadable<AnyModel>} loadable
   * @param {AnyModel["info"]} info As it was when it was loaded first.
   */
  constructor(loadable, info) {
    this.#loadable = loadable;
    this.info = info;
  }

  /** Whether a call would not have to load it. */
  get isLoaded() {
    return this.#loadable.model !== null;
  }

  /** @type {AnyModel["generate"]} */
  generate(prompt, options) {
    const { ready, leave } = this.#use();
    const begun = ready.then((model) => model.generate(prompt, options));
    const result = begun.then((generation) => generation.result).finally(leave);
    result.catch(() => {}); // nobody needs to look at it
    return {
      result,
      async *tokens() {
        yield* (await begun).tokens();
      },
      async *[Symbol.asyncIterator]() {
        yield* await begun;
      },
    };
  }

  /** @type {AnyModel["chatPrompt"]} */
  chatPrompt(...given) {
    return this.#call((model) => model.chatPrompt(...given));
  }

  /** @type {AnyModel["tokenize"]} */
  tokenize(...given) {
    return this.#call((model) => model.tokenize(...given));
  }

  /** @type {AnyModel["detokenize"]} */
  detokenize(...given) {
    return this.#call((model) => model.detokenize(...given));
  }

  /** @type {AnyModel["classify"]} */
  classify(...given) {
    return this.#call((model) => model.classify(...given));
  }

  unload() {
    return this.#loadable.end();
  }

  /**
   * Keeps the model where it is while several calls are made.
   * @template T
   * @param {() => Promise<T>} job
   * @returns {Promise<T>}
   */
  async keep(job) {
    const use = this.#loadable.use();
    try {
      await use.ready;
      this.#kept.push(use);
      return await job();
    } finally {
      this.#kept = this.#kept.filter((kept) => kept !== use);
      use.leave();
    }
  }

  /**
   * @template T
   * @param {(model: AnyModel) => Promise<T>} job
   * @returns {Promise<T>}
   */
  async #call(job) {
    const { ready, leave } = this.#use();
    try {
      return await job(await ready);
    } finally {
      leave();
    }
  }

  /** What waits for a new load while it keeps an old one from going would wait for ever. */
  #use() {
    return this.#kept.at(-1)?.again() ?? this.#loadable.use();
  }
}

/**
 * Makes several calls of a model, which stays for them. Not for what waits for others, which may need its room.
 * @template T
 * @param {AnyModel} model
 * @param {() => Promise<T>} job
 * @returns {Promise<T>}
 */
export function keeping(model, job) {
  return model instanceof SharedModel ? model.keep(job) : job();
}
