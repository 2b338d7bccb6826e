// An adapter as the page sees it: a handle; its weights are in the worker, beside the model's.

import { wrong } from "./checks.js";
import { UnloadedError } from "./errors.js";

/** What the worker knows an adapter by, and whose it is. @type {WeakMap<Adapter, {model: object, id: number, gone: boolean}>} */
const inner = new WeakMap();

/**
 * A loaded adapter: small weights that change what a model says, where a request names them.
 * ```js
 * const adapter = await model.loadAdapter("adapters/poems/");
 * for await (const piece of model.generate("Once", { adapters: [adapter] })) print(piece);
 * ```
 */
export class Adapter {
  /** What is known of it. @type {import("./types.js").AdapterInfo} */
  info;
  #unload;
  /** @type {Promise<void> | null} */
  #unloading = null;

  /**
   * @param {object} model
   * @param {number} id
   * @param {import("./types.js").AdapterInfo} info
   * @param {() => Promise<void>} unload
   * @hideconstructor
   */
  constructor(model, id, info, unload) {
    this.info = info;
    this.#unload = unload;
    inner.set(this, { model, id, gone: false });
  }

  /**
   * Gives its memory back, on the device too. Requests that name it from now on are refused with `UnloadedError`; those that were
   * made before end first. May be called again; the model's `unload` does the same for all of its adapters.
   * @returns {Promise<void>}
   */
  unload() {
    const own = inner.get(this);
    if (own) own.gone = true;
    this.#unloading ??= this.#unload();
    return this.#unloading;
  }
}

/**
 * The option `adapters` as the worker takes it.
 * @param {object} model Whose they must be.
 * @param {unknown} value
 * @returns {{id: number, weight: number}[]}
 */
export function namedAdapters(model, value) {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw wrong("adapters", "expected an array of adapters, or of {adapter, weight}");
  return value.map((entry, at) => {
    const what = `adapters[${at}]`;
    const { adapter, weight = 1, ...others } = entry instanceof Adapter ? { adapter: entry } : Object(entry);
    const own = adapter instanceof Adapter ? inner.get(adapter) : undefined;
    const name = Object.keys(others)[0];
    if (own === undefined) throw wrong(what, "expected an adapter that was loaded, or {adapter, weight}");
    if (name !== undefined) throw wrong(what, `unknown name "${name}"; known are adapter, weight`);
    if (own.model !== model) throw wrong(what, "expected one that was loaded with this model");
    if (own.gone) throw new UnloadedError(`${what}: the adapter was unloaded`);
    if (typeof weight !== "number" || !Number.isFinite(weight)) throw wrong(`${what}.weight`, "expected a number");
    return { id: own.id, weight };
  });
}
