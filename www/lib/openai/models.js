// The models that a handler answers with, by the ids that requests name them by.

import { InputError } from "../errors.js";
import { ApiError, isGone, loadFailure } from "./errors.js";

/**
 * What the handler needs of a model: the calls of `Model` that text, embeddings and scores are made with.
 * @typedef {Pick<import("../model.js").Model, "info" | "generate" | "chatPrompt" | "tokenize" | "detokenize" | "embed" |
 *   "score">} ServedModel
 */

/**
 * A loaded model, where to load one from at the first request for it, or a function that loads it then.
 * @typedef {ServedModel | string | URL | (() => ServedModel | Promise<ServedModel>)} ModelEntry
 */

/** @typedef {(source: string | URL, options: import("../types.js").LoadOptions) => Promise<ServedModel>} Load */

/**
 * @typedef {object} Registered
 * @property {() => ServedModel | Promise<ServedModel>} load
 * @property {boolean} loadable Whether it can be loaded again.
 * @property {number} created Seconds since 1970.
 * @property {Promise<ServedModel> | null} loading
 * @property {ServedModel | null} model The last that was loaded.
 */

/** The models of a page by id. */
export class Models {
  /** @type {Map<string, Registered>} */
  #entries = new Map();
  #load;

  /** @param {Load} load How a source becomes a model. */
  constructor(load) {
    this.#load = load;
  }

  /**
   * @param {string} id The `model` of requests.
   * @param {ModelEntry} entry A source or function is loaded by the first request that asks for it.
   * @param {import("../types.js").LoadOptions} [options] How to load a source.
   */
  add(id, entry, options) {
    if (typeof id !== "string" || id === "") throw wrong("id", "expected a name that is not empty");
    const load = this.#loader(entry, options);
    const created = Math.floor(Date.now() / 1000);
    this.#entries.set(id, { load, loadable: load.loadable, created, loading: null, model: null });
    return this;
  }

  /** @param {string} id @returns {boolean} Whether there was one. It is not unloaded. */
  remove(id) {
    return this.#entries.delete(id);
  }

  /** @param {string} id */
  has(id) {
    return this.#entries.has(id);
  }

  /** @returns {{id: string, object: "model", created: number, owned_by: string}[]} In OpenAI's shape. */
  list() {
    return [...this.#entries].map(([id, { created }]) => ({ id, object: "model", created, owned_by: "intab" }));
  }

  /**
   * @param {string} id
   * @returns {Promise<ServedModel>} Rejects with an `ApiError`: 404 for an id that is not here, 503 where it cannot be loaded.
   */
  async get(id) {
    const entry = this.#entries.get(id);
    if (!entry) {
      const known = [...this.#entries.keys()].map((name) => JSON.stringify(name)).join(", ") || "none";
      throw new ApiError(404, `the model ${JSON.stringify(id)} does not exist; there are ${known}`, {
        param: "model",
        code: "model_not_found",
      });
    }
    entry.loading ??= Promise.resolve().then(entry.load);
    try {
      return (entry.model = await entry.loading);
    } catch (error) {
      // The next request may find the network back, or memory free.
      entry.loading = null;
      throw loadFailure(id, error);
    }
  }

  /**
   * A model that was unloaded or whose worker or device is gone is loaded anew by the next request.
   * @param {string} id
   * @param {ServedModel} model
   * @param {unknown} error What a call of it rejected with.
   */
  failed(id, model, error) {
    const entry = this.#entries.get(id);
    // Another request may have loaded it anew already.
    if (entry?.loadable && entry.model === model && isGone(error)) entry.loading = entry.model = null;
  }

  /**
   * @param {ModelEntry} entry
   * @param {import("../types.js").LoadOptions} [options]
   */
  #loader(entry, options) {
    if (typeof entry === "function") {
      if (options) throw wrong("options", "a function that loads the model has its own");
      return Object.assign(() => entry(), { loadable: true });
    }
    if (typeof entry === "string" || entry instanceof URL) {
      return Object.assign(() => this.#load(entry, options ?? {}), { loadable: true });
    }
    if (options) throw wrong("options", "the model is loaded already");
    const isModel = typeof entry === "object" && entry !== null && typeof entry.generate === "function" && entry.info;
    if (!isModel) throw wrong("model", "expected a loaded model, the source of one, or a function that loads it");
    return Object.assign(() => entry, { loadable: false });
  }
}

/** @param {string} what @param {string} problem */
function wrong(what, problem) {
  return new InputError(`${what}: ${problem}`, { what, problem });
}
