// From a source to a model in this worker, the first time and where the model lost its device.

import { Keeper } from "./storage/keeper.js";
import { addressOf, keeping } from "./storage/keeping.js";
import { keepTuning, keptTuning } from "./tuning.js";

/**
 * @typedef {import("./wasm.js").Model} Model
 * @typedef {import("./types.js").WireSource} WireSource
 * @typedef {Omit<import("./types.js").LoadOptions, "onProgress" | "signal">} Options
 * @typedef {{signal: AbortSignal, emit: (event: object) => void}} Call
 * @typedef {object} Engine
 * @property {typeof import("./wasm.js").Model} Model
 * @property {(n: number) => Promise<import("./crew.js").Crew>} hire
 * @property {(model: Model) => void} destroy
 */

/**
 * Loads a model, with what storage keeps of it.
 * @param {Engine} engine
 * @param {WireSource} source
 * @param {Options} options
 * @param {Call} call
 */
export async function open({ Model, hire, destroy }, source, { cache = "auto", evict, ...options }, { signal, emit }) {
  const onProgress = (/** @type {string} */ stage, /** @type {number} */ loaded, /** @type {number} */ total) =>
    emit({ stage, loaded, total });
  const cores = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const tuning = options.autotune === false ? undefined : await keptTuning();
  const keeper = new Keeper({ model: addressOf(source), cache, evict, signal, emit });
  const given = /** @type {Parameters<typeof Model.load>[1]} */ ({ ...options, cores, tuning });
  const wasm = await keeping(keeper, () => Model.load(source, given, onProgress, signal, hire, keeper));
  const info = { ...wasm.info(), storage: keeper.report() };
  if (info.tuning !== null && info.tuning !== tuning) await keepTuning(info.tuning);
  if (signal.aborted) {
    destroy(wasm);
    throw signal.reason;
  }
  return { wasm, info };
}

/**
 * How a model that lost its device is loaded again: from where it came from, with the context that it has.
 * @param {Engine} engine
 * @param {WireSource} source
 * @param {Options} options Of its load.
 * @param {{info: {contextLength: number}, emit: (event: object) => void, loads: Set<AbortController>}} model What tells its page,
 *   and what ends its loads.
 * @returns {import("./recovery.js").Way}
 */
export function wayBack(engine, source, options, { info: { contextLength }, emit, loads }) {
  // Bytes would take memory for as long as the model lives; a browser may put a blob on disk.
  const isBytes = source instanceof ArrayBuffer || source instanceof Uint8Array;
  const from = isBytes ? new Blob([/** @type {BlobPart} */ (source)]) : source;
  const controller = new AbortController();
  const { signal } = controller;
  loads.add(controller);
  const load = async (/** @type {{backend?: "gpu"}} */ again) => {
    try {
      return await open(engine, from, { ...options, contextLength, ...again }, { signal, emit });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  };
  return { load, emit, signal };
}
