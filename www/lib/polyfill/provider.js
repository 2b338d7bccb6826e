// Where a model comes from and how far it has come: loaded once, when it is first needed, for all objects that use it.

import { isGone } from "../gone.js";
import { estimate, load } from "../intab.js";
import { Loadable } from "../loadable.js";
import { bytesNeeded } from "../needs.js";
import { domException, isLasting, toLoadException } from "./errors.js";
import { SharedModel } from "./shared-model.js";

/**
 * @typedef {import("./types.js").AnyModel} AnyModel
 * @typedef {import("./types.js").Availability} Availability
 * @typedef {import("./types.js").ModelChoice} ModelChoice
 * @typedef {(fraction: number) => void} OnFraction Told of how much has arrived: from 0 to 1, ever more.
 */

/** Models that answer no more, as their device or their worker is gone. @type {WeakSet<AnyModel>} */
const lost = new WeakSet();

/**
 * Remembers a model that failed as one that answers no more, if that is what the failure says.
 * @param {AnyModel} model
 * @param {unknown} error
 */
export function noteLoss(model, error) {
  if (isGone(error)) lost.add(model);
}

export class Provider {
  /** Undefined where no model was chosen. */
  #choice;
  #isStored;
  #budget;
  /** @type {Promise<AnyModel> | null} */
  #loading = null;
  /** @type {AnyModel | null} */
  #model = null;
  /** Why it will never do. @type {unknown} */
  #refusal;
  #fraction = 0;
  /** @type {Set<OnFraction>} */
  #listeners = new Set();

  /**
   * @param {ModelChoice | undefined} choice
   * @param {(choice: ModelChoice) => boolean | Promise<boolean>} isStored
   * @param {import("../budget.js").MemoryBudget} budget Of all providers together.
   */
  constructor(choice, isStored, budget) {
    this.#choice = choice;
    this.#isStored = isStored;
    this.#budget = budget;
    if (isModel(choice)) this.#model = choice;
  }

  /** The model, if it was loaded. */
  get model() {
    return this.#model;
  }

  /**
   * @param {readonly string[]} kinds Of models that will do; known when it is loaded.
   * @returns {Promise<Availability>}
   */
  async availability(kinds) {
    if (this.#choice === undefined || this.#refusal) return "unavailable";
    if (this.#model && (await this.#isLost(this.#model))) {
      if (isModel(this.#choice)) return "unavailable";
      await this.release();
    }
    if (this.#model) return kinds.includes(this.#model.info.kind) ? "available" : "unavailable";
    if (this.#loading) return "downloading";
    return isAtHand(this.#choice) || (await this.#isStored(this.#choice)) ? "available" : "downloadable";
  }

  /**
   * An abort of who waits does not end the download, since others may wait too and what has come is of use.
   * @param {OnFraction} onFraction
   * @returns {Promise<AnyModel>} Rejects with the drafts' exceptions.
   */
  async load(onFraction) {
    if (this.#model) return this.#model;
    const from = this.#fraction;
    const told = (/** @type {number} */ fraction) => onFraction((fraction - from) / (1 - from));
    this.#listeners.add(told);
    this.#loading ??= this.#start();
    try {
      return await this.#loading;
    } finally {
      this.#listeners.delete(told);
    }
  }

  /** Unloads what was loaded here; a model that the page gave stays. */
  async release() {
    if (isModel(this.#choice)) return;
    const model = await this.#loading?.catch(() => null);
    this.#model = null;
    this.#loading = null;
    this.#fraction = 0;
    await model?.unload();
  }

  /** @param {AnyModel} model */
  async #isLost(model) {
    // What was unloaded for others is not looked at, as that would load it.
    if (model instanceof SharedModel && !model.isLoaded) return lost.has(model);
    await model.tokenize("").catch((error) => noteLoss(model, error));
    return lost.has(model);
  }

  async #start() {
    // The bytes come once: as a download where the server has no ranges, else while the weights are read.
    let downloaded = false;
    const onProgress = (/** @type {import("../types.js").Progress} */ { stage, loaded, total }) => {
      downloaded ||= stage === "download";
      if (stage !== (downloaded ? "download" : "weights") || total === 0) return;
      this.#fraction = Math.max(this.#fraction, Math.min(loaded / total, 1 - Number.EPSILON));
      for (const listener of this.#listeners) listener(this.#fraction);
    };
    const choice = /** @type {ModelChoice} */ (this.#choice);
    const source = /** @type {import("../types.js").Source} */ (choice);
    const loadable = new Loadable(this.#budget, {
      name: typeof choice === "string" || choice instanceof URL ? String(choice) : "the model",
      load: () => (typeof choice === "function" ? choice({ onProgress }) : load(source, { onProgress })),
      measure: async () => (typeof choice === "function" ? null : bytesNeeded(estimate, source)),
    });
    const { ready, leave } = loadable.use();
    try {
      return (this.#model = new SharedModel(loadable, (await ready).info));
    } catch (error) {
      this.#loading = null;
      this.#fraction = 0;
      if (isLasting(error)) this.#refusal = error;
      throw toLoadException(error);
    } finally {
      leave();
    }
  }
}

/**
 * @param {unknown} choice
 * @returns {choice is AnyModel}
 */
export function isModel(choice) {
  const model = /** @type {any} */ (choice);
  return typeof model === "object" && model !== null && "info" in model && typeof model.generate === "function";
}

/**
 * Whether a source's bytes are on this machine as it is.
 * @param {ModelChoice} choice
 */
function isAtHand(choice) {
  return typeof choice === "object" && !(choice instanceof URL);
}

/**
 * @param {AnyModel} model
 * @param {readonly string[]} kinds
 * @param {string} purpose
 */
export function requireKind(model, kinds, purpose) {
  if (kinds.includes(model.info.kind)) return;
  const problem = `The model ${model.info.name} is of the kind "${model.info.kind}", which cannot ${purpose}.`;
  throw domException("NotSupportedError", problem);
}
