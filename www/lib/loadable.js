// A model that is loaded when it is first needed, once for all who need it, and again where it had to go.

import { UnloadedError } from "./errors.js";

/** @typedef {{info: {bytes?: number}, unload?: () => Promise<void>}} Unloadable */

/**
 * @template {Unloadable} M
 * @typedef {object} LoadableOptions
 * @property {string} name For messages.
 * @property {() => M | Promise<M>} load
 * @property {() => Promise<number | null>} measure Bytes that the load will take; null where only the load can tell.
 */

/**
 * One load of a model.
 * @template {Unloadable} M
 * @typedef {{place: import("./budget.js").Place, model: M | null, ready: Promise<M>}} Copy
 */

/**
 * A use of a model, which keeps it from being unloaded.
 * @template M
 * @typedef {object} Use
 * @property {Promise<M>} ready
 * @property {() => void} leave To be called in the end, also where `ready` rejects.
 * @property {() => Use<M>} again Another use of the same load, while this one lasts: also where it is to go after that.
 */

/** @template {Unloadable} M */
export class Loadable {
  #budget;
  #options;
  /** What it took when it was loaded last, or an estimate. @type {number | null} */
  #bytes = null;
  /** @type {Copy<M> | null} */
  #copy = null;
  #isEnded = false;

  /**
   * @param {import("./budget.js").MemoryBudget} budget
   * @param {LoadableOptions<M>} options
   */
  constructor(budget, options) {
    this.#budget = budget;
    this.#options = options;
  }

  /** The model, if it is loaded. */
  get model() {
    return this.#copy?.model ?? null;
  }

  /** @returns {Use<M>} Whoever comes first gets it first. */
  use() {
    if (this.#isEnded) return { ready: Promise.reject(new UnloadedError("the model was unloaded")), leave() {}, again: () => this.use() };
    this.#copy ??= this.#begin();
    return useOf(this.#copy);
  }

  /** The model is of no more use: the next to need it loads it anew. @param {M} model */
  forget(model) {
    if (this.#copy?.model !== model) return;
    this.#copy.place.drop();
    this.#copy = null;
  }

  /** It counts no more; whoever loaded it may go on to use it. */
  abandon() {
    this.#copy?.place.drop();
    this.#copy = null;
  }

  /** Unloads it at once, for good: what still uses it fails with `UnloadedError`, as does who comes from now on. */
  async end() {
    const copy = this.#copy;
    this.#copy = null;
    this.#isEnded = true;
    const model = await copy?.ready.catch(() => null);
    await model?.unload?.();
    copy?.place.drop();
  }

  /** Unloads it when nobody uses it. @returns {Promise<void>} Resolves when that is done. */
  async release() {
    await this.#copy?.place.depart();
  }

  #begin() {
    const forget = () => {
      if (this.#copy === copy) this.#copy = null;
    };
    const place = this.#budget.place(forget);
    /** @type {Copy<M>} */
    const copy = { place, model: null, ready: Promise.resolve().then(() => this.#load(copy)) };
    // The next to need it may find the network back, or memory free.
    copy.ready.catch(forget);
    return copy;
  }

  /** @param {Copy<M>} copy @returns {Promise<M>} */
  async #load(copy) {
    const { name, load, measure } = this.#options;
    const { place } = copy;
    let model;
    try {
      if (this.#budget.bytes < Infinity) {
        this.#bytes ??= await measure();
        await this.#budget.admit(place, this.#bytes ?? 0, name);
      }
      model = await load();
    } catch (error) {
      place.drop();
      throw error;
    }
    place.settle(model.unload ? () => model.unload?.() : null);
    this.#bytes = model.info.bytes ?? 0;
    this.#budget.correct(place, this.#bytes, name);
    copy.model = model;
    return model;
  }
}

/**
 * @template {Unloadable} M
 * @param {Copy<M>} copy
 * @returns {Use<M>}
 */
function useOf(copy) {
  return { ready: copy.ready, leave: copy.place.enter(), again: () => useOf(copy) };
}
