// The models that a handler answers with, by the ids that requests name them by.

import { MemoryBudget } from "../budget.js";
import { unknownName, wrong } from "../checks.js";
import { isGone } from "../gone.js";
import { Loadable } from "../loadable.js";
import { bytesNeeded } from "../needs.js";
import { ApiError, loadFailure } from "./errors.js";

/**
 * What the handler needs of a model: the calls of `Model` that text, embeddings and scores are made with.
 * @typedef {Pick<import("../model.js").Model, "info" | "generate" | "chatPrompt" | "tokenize" | "detokenize" | "embed" |
 *   "score"> & Partial<Pick<import("../model.js").Model, "unload">>} ServedModel
 */

/**
 * A loaded model, where to load one from at the first request for it, or a function that loads it then. Under a memory budget
 * a function is called again after its model was unloaded, and has to give one that was not.
 * @typedef {ServedModel | string | URL | (() => ServedModel | Promise<ServedModel>)} ModelEntry
 */

/** @typedef {(source: string | URL, options: import("../types.js").LoadOptions) => Promise<ServedModel>} Load */

/**
 * @typedef {object} ModelsOptions
 * @property {number} [memoryBudget] Bytes that all of them together may take, as `info.bytes` counts. What a source takes is
 *   estimated before it is loaded; for a function it is known after its first load. Models that are not in use are unloaded
 *   to make room, the one that was used longest ago first, and loaded again by the next request for them; where that is not
 *   enough, a request waits until those in use have answered. Loaded models count and stay. Default: `Infinity`.
 * @property {import("../needs.js").Estimate} [estimate] How it is told what a source takes: `estimate` of `intab.js`.
 */

/** @typedef {Pick<import("../loadable.js").Use<ServedModel>, "ready" | "leave">} ModelUse */

/**
 * @typedef {object} Registered
 * @property {number} created Seconds since 1970.
 * @property {() => ModelUse} use
 * @property {(model: ServedModel) => void} forget
 * @property {() => void} remove
 */

/** The models of a page by id. */
export class Models {
  /** @type {Map<string, Registered>} */
  #entries = new Map();
  #load;
  #estimate;
  #budget;

  /**
   * @param {Load} load How a source becomes a model: `load` of `intab.js`.
   * @param {ModelsOptions} [options]
   * @throws {InputError} For an unknown option, and a budget without `estimate`.
   */
  constructor(load, { memoryBudget, estimate, ...rest } = {}) {
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw unknownName("models options", unknown, ["memoryBudget", "estimate"]);
    this.#load = load;
    this.#estimate = estimate;
    this.#budget = new MemoryBudget();
    if (memoryBudget !== undefined) this.memoryBudget = memoryBudget;
  }

  /** Bytes, as in `ModelsOptions`. Set to less, models are unloaded until it holds. */
  get memoryBudget() {
    return this.#budget.bytes;
  }

  set memoryBudget(bytes) {
    if (!this.#estimate) throw wrong("memoryBudget", "it needs `estimate`, which tells what a source takes");
    this.#budget.bytes = bytes;
  }

  /**
   * @param {string} id The `model` of requests.
   * @param {ModelEntry} entry A source or function is loaded by the first request that asks for it.
   * @param {import("../types.js").LoadOptions} [options] How to load a source.
   */
  add(id, entry, options) {
    if (typeof id !== "string" || id === "") throw wrong("id", "expected a name that is not empty");
    const registered = this.#registered(id, entry, options);
    this.remove(id);
    this.#entries.set(id, { ...registered, created: Math.floor(Date.now() / 1000) });
    return this;
  }

  /**
   * @param {string} id
   * @returns {boolean} Whether there was one. What was loaded of a source is unloaded when its requests are answered; other
   *   models are the page's.
   */
  remove(id) {
    this.#entries.get(id)?.remove();
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
   * A use of a model, which is loaded where it has to be and stays until the use ends.
   * @param {string} id
   * @returns {ModelUse} Rejects with an `ApiError`, 503, where the model cannot be loaded.
   * @throws {ApiError} 404 for an id that is not here.
   */
  use(id) {
    const entry = this.#entries.get(id);
    if (!entry) {
      const known = [...this.#entries.keys()].map((name) => JSON.stringify(name)).join(", ") || "none";
      throw new ApiError(404, `the model ${JSON.stringify(id)} does not exist; there are ${known}`, {
        param: "model",
        code: "model_not_found",
      });
    }
    const { ready, leave } = entry.use();
    const told = ready.catch((error) => {
      throw loadFailure(id, error);
    });
    return { ready: told, leave };
  }

  /**
   * A model that was unloaded or whose worker or device is gone is loaded anew by the next request.
   * @param {string} id
   * @param {ServedModel} model
   * @param {unknown} error What a call of it rejected with.
   */
  failed(id, model, error) {
    if (isGone(error)) this.#entries.get(id)?.forget(model);
  }

  /**
   * @param {string} id
   * @param {ModelEntry} entry
   * @param {import("../types.js").LoadOptions} [options]
   * @returns {Omit<Registered, "created">}
   */
  #registered(id, entry, options) {
    if (typeof entry === "function") {
      if (options) throw wrong("options", "a function that loads the model has its own");
      const loadable = new Loadable(this.#budget, { name: id, load: () => entry(), measure: async () => null });
      return { use: () => loadable.use(), forget: (model) => loadable.forget(model), remove: () => loadable.abandon() };
    }
    if (typeof entry === "string" || entry instanceof URL) {
      const loadable = new Loadable(this.#budget, {
        name: id,
        load: () => this.#load(entry, options ?? {}),
        measure: () => bytesNeeded(/** @type {import("../needs.js").Estimate} */ (this.#estimate), entry, options),
      });
      return { use: () => loadable.use(), forget: (model) => loadable.forget(model), remove: () => void loadable.release() };
    }
    if (options) throw wrong("options", "the model is loaded already");
    const isModel = typeof entry === "object" && entry !== null && typeof entry.generate === "function" && entry.info;
    if (!isModel) throw wrong("model", "expected a loaded model, the source of one, or a function that loads it");
    const place = this.#budget.pin(entry.info.bytes ?? 0);
    const drop = () => place.drop();
    return { use: () => ({ ready: Promise.resolve(entry), leave() {} }), forget: drop, remove: drop };
  }
}
