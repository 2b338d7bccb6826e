// The worker: owns the WebAssembly module, the device and the models. It answers the messages of `client.js`.

import { Crew } from "./crew.js";
import { InputError, UnloadedError } from "./errors.js";
import { Lane } from "./lane.js";
import { Keeper } from "./storage/keeper.js";
import { askForSubgroups } from "./subgroups.js";
import { keepTuning, keptTuning } from "./tuning.js";
import { toWire } from "./wire.js";

/**
 * @typedef {typeof import("./wasm.js")} Wasm
 * @typedef {import("./client.js").Request} Request
 * @typedef {import("./client.js").Reply} Reply
 * @typedef {{signal: AbortSignal, emit: (event: object) => void}} Call What an operation gets besides its arguments.
 * @typedef {{wasm: import("./wasm.js").Model, lane: Lane}} Loaded
 */

// Typed by hand: the DOM and the worker type libraries cannot be used in one program.
const scope = /** @type {{postMessage(message: Reply, transfer?: Transferable[]): void} & EventTarget} */ (
  /** @type {unknown} */ (globalThis)
);

/** @type {Promise<Wasm>} */
let runtime;

/** What the runtime is made of, for helpers to start from. @type {{module: WebAssembly.Module, glueUrl: string}} */
let code;

/** Helpers of models on the CPU. @type {Set<Crew>} */
const crews = new Set();

/** Loaded models by the id of the request that loaded them. @type {Map<number, Loaded>} */
const models = new Map();

/** Requests that have not been answered. @type {Map<number, AbortController>} */
const running = new Map();

/** Errors that say that a file is not what it should be. */
const DAMAGE = ["FormatError", "IntegrityError"];

/** Looks whether a model that a job waits for is free, in ms. */
const PAUSE = 4;

const turn = new MessageChannel();
/** @type {(() => void)[]} */
const turns = [];
turn.port1.onmessage = () => turns.shift()?.();

/** Lets the event loop turn once: messages that have arrived are handled before this resolves. */
function nextTask() {
  return /** @type {Promise<void>} */ (
    new Promise((resolve) => {
      turns.push(resolve);
      turn.port2.postMessage(null);
    })
  );
}

/** @type {Record<string, (args: any, call: Call, id: number) => Promise<unknown>>} */
const operations = {
  async load({ source, options: { cache = "auto", evict, ...options } }, { signal, emit }, id) {
    emit({ stage: "runtime", loaded: 0, total: 0 });
    const { Model } = await runtime;
    const onProgress = (/** @type {string} */ stage, /** @type {number} */ loaded, /** @type {number} */ total) =>
      emit({ stage, loaded, total });
    const cores = globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
    const tuning = options.autotune === false ? undefined : await keptTuning();
    const keeper = new Keeper({ model: addressOf(source), cache, evict, signal, emit });
    const wasm = await keeping(keeper, () =>
      Model.load(source, { ...options, cores, tuning }, onProgress, signal, hire, keeper),
    );
    const info = { ...wasm.info(), storage: keeper.report() };
    if (info.tuning !== null && info.tuning !== tuning) await keepTuning(info.tuning);
    if (signal.aborted) {
      destroy(wasm);
      throw signal.reason;
    }
    models.set(id, { wasm, lane: new Lane(nextTask) });
    return info;
  },

  async estimate({ source, options: { cache = "auto", ...options } }, { signal, emit }) {
    const { Model } = await runtime;
    const keeper = new Keeper({ model: addressOf(source), cache, readOnly: true, signal, emit });
    return keeping(keeper, () => Model.estimate(source, options, signal, keeper));
  },

  async unload({ model }) {
    const loaded = models.get(model);
    if (!loaded) return;
    models.delete(model);
    await loaded.lane.close(unloaded());
    destroy(loaded.wasm);
  },

  async generate({ model, prompt, sampling, draft }, call) {
    const { wasm } = find(model);
    return alone([model, draft], (breathe) => stream(wasm, prompt, sampling, draft, breathe, call), call.signal);
  },

  // As the template's text says all special tokens itself, none are added.
  async chat({ model, messages, template, sampling, draft }, call) {
    const { wasm } = find(model);
    const job = (/** @type {() => Promise<void>} */ breathe) => {
      const prompt = wasm.tokenize(wasm.chatPrompt(messages, template), false, true);
      return stream(wasm, prompt, sampling, draft, breathe, call);
    };
    return alone([model, draft], job, call.signal);
  },

  async logits({ model, ids, tokenTypes, decoderIds, precision }) {
    const { wasm, lane } = find(model);
    return lane.run(() => wasm.logits(ids, tokenTypes, decoderIds, precision === "fast"));
  },

  async task({ model, request }) {
    const { wasm, lane } = find(model);
    return lane.run(() => wasm.task(request));
  },

  async tokenize({ model, text, addSpecial, parseSpecial }) {
    const { wasm, lane } = find(model);
    return lane.between(() => wasm.tokenize(text, addSpecial, parseSpecial));
  },

  async detokenize({ model, ids, skipSpecial }) {
    const { wasm, lane } = find(model);
    return lane.between(() => wasm.detokenize(ids, skipSpecial));
  },

  async chatPrompt({ model, messages, template }) {
    const { wasm, lane } = find(model);
    return lane.between(() => wasm.chatPrompt(messages, template));
  },

  async memory() {
    const { wasmBytes, ...rest } = (await runtime).memoryUse();
    let helpers = 0;
    for (const { memoryBytes } of crews) helpers += memoryBytes;
    return { wasmBytes: wasmBytes + helpers, ...rest };
  },
};

/**
 * Reads a model, with what the browser's storage keeps of its files.
 * @template T
 * @param {Keeper} keeper
 * @param {() => Promise<T>} read
 * @returns {Promise<T>}
 */
async function keeping(keeper, read) {
  /** @type {"all" | "begun" | "none"} */
  let drop = "none";
  try {
    return await read();
  } catch (error) {
    if (isTrap(error)) throw error;
    const name = error instanceof Error ? error.name : "";
    drop = DAMAGE.includes(name) ? "all" : name === "UnsupportedError" ? "begun" : "none";
    throw keeper.failure ?? error;
  } finally {
    await keeper.end(drop);
  }
}

/** @param {import("./types.js").WireSource} source */
function addressOf(source) {
  return typeof source === "string" ? source : "";
}

/**
 * Helpers for a model that the CPU will run.
 * @param {number} n
 */
async function hire(n) {
  if (!globalThis.crossOriginIsolated) {
    const problem = "several need a page that is cross-origin isolated: serve it with the headers COOP and COEP";
    throw new InputError(problem, { what: "threads", problem });
  }
  for (const crew of crews) if (crew.nHelpers === 0) crews.delete(crew);
  const crew = await Crew.hire(n, code);
  crews.add(crew);
  return crew;
}

/**
 * Runs a job when it has each of these models for itself; always in the same order, so that no two jobs wait for each other.
 * @template T
 * @param {(number | undefined)[]} ids
 * @param {(breathe: () => Promise<void>) => Promise<T>} job
 * @param {AbortSignal} signal
 * @returns {Promise<T>}
 */
function alone(ids, job, signal) {
  const [first, ...rest] = ids.filter((id) => id !== undefined).sort((a, b) => a - b);
  return find(first).lane.run(async (breathe) => {
    if (rest.length === 0) return job(breathe);
    const queue = new AbortController();
    const leave = () => queue.abort(signal.reason);
    signal.addEventListener("abort", leave, { once: true });
    let waits = true;
    const both = (/** @type {() => Promise<void>} */ other) => {
      waits = false;
      return job(async () => {
        await breathe();
        await other();
      });
    };
    const done = alone(rest, both, queue.signal).finally(() => (waits = false));
    done.catch(() => {}); // whoever waits hears of it below, a moment later
    // Until the other is free too, this one's short calls get in, and its end is the end of waiting.
    try {
      while (waits) {
        await breathe();
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    } catch (reason) {
      queue.abort(reason);
    }
    return done.finally(() => signal.removeEventListener("abort", leave));
  }, signal);
}

/**
 * Runs a generation step by step, telling each; between steps the event loop turns, and an abort gets in.
 * @param {import("./wasm.js").Model} wasm
 * @param {string | Uint32Array} prompt
 * @param {import("./types.js").SamplingOptions} sampling
 * @param {number | undefined} draft The model that makes drafts.
 * @param {() => Promise<void>} breathe
 * @param {Call} call
 */
async function stream(wasm, prompt, sampling, draft, breathe, { signal, emit }) {
  const generation =
    draft === undefined
      ? await wasm.generate(prompt, sampling)
      : wasm.generateWithDraft(prompt, sampling, find(draft).wasm);
  try {
    let aborting = false;
    for (;;) {
      await breathe();
      if (signal.aborted && !aborting) {
        generation.abort();
        aborting = true;
      }
      const step = await generation.next();
      if (step.type === "done") {
        if (step.text !== "") emit({ type: "token", id: null, text: step.text });
        generation.free();
        return step.result;
      }
      emit(step);
    }
  } catch (error) {
    // After a trap the object is still borrowed, and freeing it would hide the trap behind an error of its own.
    if (!isTrap(error)) generation.free();
    throw error;
  }
}

/** @param {import("./wasm.js").Model} wasm */
function destroy(wasm) {
  wasm.unload();
  wasm.free();
}

/** @param {number} id */
function find(id) {
  const loaded = models.get(id);
  if (!loaded) throw unloaded();
  return loaded;
}

function unloaded() {
  return new UnloadedError("the model was unloaded");
}

/**
 * Whether WebAssembly itself has failed, after which its memory is in no state to go on with.
 * @param {unknown} error
 */
function isTrap(error) {
  const isStackOverflow =
    error instanceof RangeError
      ? /call stack/i.test(error.message)
      : error instanceof Error && error.name === "InternalError";
  return error instanceof WebAssembly.RuntimeError || isStackOverflow;
}

/**
 * @param {unknown} error
 * @param {boolean} [starting] Whether it happened before the module ran.
 */
function crash(error, starting = false) {
  scope.postMessage({ crash: error instanceof Error ? `${error.name}: ${error.message}` : String(error), starting });
}

/** @param {Request} request */
async function answer({ id, op, args }) {
  const controller = new AbortController();
  running.set(id, controller);
  const emit = (/** @type {object} */ event) => scope.postMessage({ id, event });
  try {
    const value = await operations[op](args, { signal: controller.signal, emit }, id);
    // Logits may be large, and the copy in this worker is of no more use.
    scope.postMessage({ id, value }, value instanceof Float32Array ? [value.buffer] : []);
  } catch (error) {
    if (isTrap(error)) crash(error);
    else scope.postMessage({ id, error: toWire(error) });
  } finally {
    running.delete(id);
  }
}

/**
 * @param {number} id A request. Where it was a load that has ended already, its model goes: the page gave up on it.
 */
function abort(id) {
  const controller = running.get(id);
  if (controller) controller.abort();
  else if (models.has(id))
    void operations.unload({ model: id }, { signal: new AbortController().signal, emit() {} }, id);
}

/** @param {{glueUrl?: string, wasmUrl?: string}} urls */
async function start({ glueUrl = new URL("../pkg/intab.js", import.meta.url).href, wasmUrl }) {
  askForSubgroups();
  const module = await compile(wasmUrl ?? new URL("intab_bg.wasm", glueUrl).href);
  const wasm = /** @type {Wasm} */ (await import(glueUrl));
  wasm.initSync({ module });
  code = { module, glueUrl };
  return wasm;
}

/** @param {string} url */
async function compile(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: HTTP status ${response.status}`);
  const isWasm = response.headers.get("Content-Type")?.startsWith("application/wasm");
  // Not every server knows the type, without which streaming is refused.
  return isWasm ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

scope.addEventListener("message", (event) => {
  const request = /** @type {MessageEvent<Request>} */ (event).data;
  if (request.op === "start") {
    runtime = start(request.args);
    runtime.catch((error) => crash(error, !isTrap(error)));
  } else if (request.op === "abort") abort(request.id);
  else void answer(request);
});

// A trap inside a promise of the WebAssembly module reaches nobody who waits; without this the page would wait forever.
scope.addEventListener("unhandledrejection", (event) => {
  const { reason } = /** @type {PromiseRejectionEvent} */ (event);
  if (isTrap(reason)) crash(reason);
});
