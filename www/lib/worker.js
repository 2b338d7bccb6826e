// The worker: owns the WebAssembly module, the device and the models. It answers the messages of `client.js`.

import { alone } from "./alone.js";
import { Crew } from "./crew.js";
import { engine } from "./engine.js";
import { InputError, UnloadedError } from "./errors.js";
import { follow, isTrap } from "./follow.js";
import { GrammarModule } from "./grammar.js";
import { Lane } from "./lane.js";
import { open, wayBack } from "./opening.js";
import { conversationPrompt, textPrompt } from "./prompts.js";
import { Recovery, surviving } from "./recovery.js";
import { Keeper } from "./storage/keeper.js";
import { addressOf, keeping } from "./storage/keeping.js";
import { askForSubgroups } from "./subgroups.js";
import { toWire } from "./wire.js";

/**
 * @typedef {typeof import("./wasm.js")} Wasm
 * @typedef {import("./client.js").Request} Request
 * @typedef {import("./client.js").Reply} Reply
 * @typedef {{signal: AbortSignal, emit: (event: object) => void}} Call What an operation gets besides its arguments.
 * @typedef {object} Loaded
 * @property {import("./wasm.js").Model} wasm
 * @property {Lane} lane
 * @property {number} nCtx
 * @property {import("./types.js").CacheMode} cache How storage is used for it and its adapters.
 * @property {number} maxBatch
 * @property {Set<AbortController>} loads Of adapters, and of the model where it lost its device.
 * @property {Recovery | null} recovery
 * @typedef {object} Given How a text is made.
 * @property {import("./types.js").SamplingOptions} sampling
 * @property {number} [draft] The model that makes drafts.
 * @property {import("./constraint.js").WireConstraint} [constraint] What the text is held to.
 */

// Typed by hand: the DOM and the worker type libraries cannot be used in one program.
const scope = /** @type {{postMessage(message: Reply, transfer?: Transferable[]): void} & EventTarget} */ (
  /** @type {unknown} */ (globalThis)
);

/** @type {Promise<Wasm>} */
let runtime;

/** What the runtime is made of, for helpers to start from. @type {import("./crew.js").Code} */
let code;

/** What holds texts to structures. @type {GrammarModule} */
let grammar;

/** Helpers of models on the CPU. @type {Set<Crew>} */
const crews = new Set();

/** Loaded models by the id of the request that loaded them. @type {Map<number, Loaded>} */
const models = new Map();

/** Adapters by the id of the request that loaded them: the model's, and their number there. @type {Map<number, {model: number, adapter: number, virtualTokens: number}>} */
const loadedAdapters = new Map();

/** Requests that have not been answered. @type {Map<number, AbortController>} */
const running = new Map();

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
  async load({ source, options: { recover = true, ...options } }, call, id) {
    call.emit({ stage: "runtime", loaded: 0, total: 0 });
    const engine = { Model: (await runtime).Model, hire, destroy };
    const { wasm, info } = await open(engine, source, options, call);
    const { cache = "auto" } = options;
    /** @type {Set<AbortController>} */
    const loads = new Set();
    const emit = (/** @type {object} */ event) => scope.postMessage({ id, event });
    const mayLose = recover && info.backend === "gpu";
    const recovery = mayLose ? new Recovery(wasm, wayBack(engine, source, options, { info, emit, loads })) : null;
    const { contextLength: nCtx, maxBatch } = info;
    models.set(id, { wasm, lane: new Lane(nextTask), nCtx, maxBatch, cache, loads, recovery });
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
    for (const [id, own] of loadedAdapters) if (own.model === model) loadedAdapters.delete(id);
    for (const load of loaded.loads) load.abort(unloaded());
    await loaded.lane.close(unloaded());
    destroy(loaded.wasm);
  },

  async generate({ model, prompt, ...given }, call) {
    find(model);
    await structures(given, call.signal);
    const job = (/** @type {() => Promise<void>} */ breathe) => stream(model, prompt, given, breathe, call);
    return alone(lanesOf(model, given.draft), job, call.signal, (running) => mayJoin(model, given, running));
  },

  async chat({ model, messages, template, session, evicts, ...given }, call) {
    const { wasm, nCtx } = find(model);
    await structures(given, call.signal);
    const room = Math.min(given.sampling.maxNewTokens ?? Infinity, Math.ceil(nCtx / 4));
    const most = evicts ? nCtx - virtualTokens(given) - room : undefined;
    const conversation = { messages, template, most };
    const job = (/** @type {() => Promise<void>} */ breathe) => {
      const prompt = conversationPrompt(wasm, conversation, call.emit);
      return stream(model, prompt, inSession(given, session), breathe, call);
    };
    return alone(lanesOf(model, given.draft), job, call.signal, (running) => mayJoin(model, given, running));
  },

  async goOn({ model, ids, added, keep, session, ...given }, call) {
    const { wasm, nCtx } = find(model);
    await structures(given, call.signal);
    const job = (/** @type {() => Promise<void>} */ breathe) => {
      const prompt = textPrompt(wasm, { ids, added, keep }, nCtx - virtualTokens(given), call.emit);
      return stream(model, prompt, inSession(given, session, keep), breathe, call);
    };
    return alone(lanesOf(model), job, call.signal, (running) => mayJoin(model, given, running));
  },

  async openSession({ model }) {
    const { wasm, lane } = find(model);
    return lane.between(() => wasm.openSession());
  },

  async closeSession({ model, session }) {
    const { wasm, lane } = find(model);
    return lane.between(() => wasm.closeSession(session));
  },

  async saveSession({ model, session, ids, note }) {
    const { wasm, lane, recovery } = find(model);
    return lane.run(() => surviving([recovery], () => wasm.saveSession(session, ids, note)));
  },

  async restoreSession({ model, bytes }) {
    const { wasm, lane } = find(model);
    return lane.between(() => wasm.restoreSession(bytes));
  },

  async logits({ model, ids, tokenTypes, decoderIds, precision, adapters }) {
    const { wasm, lane, recovery } = find(model);
    const read = () => wasm.logits(ids, tokenTypes, decoderIds, precision === "fast", adapters);
    return lane.run(() => surviving([recovery], read));
  },

  async task({ model, request, adapters }) {
    const { wasm, lane, recovery } = find(model);
    return lane.run(() => surviving([recovery], () => wasm.task(request, adapters)));
  },

  async loadAdapter({ model, source, name }, { signal, emit }, id) {
    const { wasm, lane, cache, loads, recovery } = find(model);
    const onProgress = (/** @type {string} */ stage, /** @type {number} */ loaded, /** @type {number} */ total) =>
      emit({ stage, loaded, total });
    // Who unloads the model ends it too, and is not kept waiting by a server.
    const load = new AbortController();
    const abort = () => load.abort(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    loads.add(load);
    const read = () => {
      const keeper = new Keeper({ model: addressOf(source), cache, signal: load.signal, emit });
      return keeping(keeper, () => wasm.loadAdapter(source, name, onProgress, load.signal, keeper));
    };
    try {
      return await lane.run(async () => {
        const info = await surviving([recovery], read);
        if (load.signal.aborted) {
          wasm.unloadAdapter(info.id);
          throw load.signal.reason;
        }
        loadedAdapters.set(id, { model, adapter: info.id, virtualTokens: info.virtualTokens });
        return info;
      }, load.signal);
    } catch (error) {
      throw load.signal.aborted ? load.signal.reason : error;
    } finally {
      loads.delete(load);
      signal.removeEventListener("abort", abort);
    }
  },

  async unloadAdapter({ model, adapter }) {
    const { wasm, lane } = find(model);
    await lane.run(async () => wasm.unloadAdapter(adapter));
    for (const [id, own] of loadedAdapters) if (own.adapter === adapter) loadedAdapters.delete(id);
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
    let others = grammar.memoryBytes;
    for (const { memoryBytes } of crews) others += memoryBytes;
    return { wasmBytes: wasmBytes + others, ...rest };
  },
};

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
 * @param {number} model
 * @param {number} [draft]
 */
function lanesOf(model, draft) {
  const ids = draft === undefined ? [model] : [model, draft];
  return ids.sort((a, b) => a - b).map((id) => find(id).lane);
}

/**
 * Waits for the module of constraints where it is needed: before a request has its turn, so that it holds up no other.
 * @param {Given} given
 * @param {AbortSignal} signal
 */
async function structures({ constraint }, signal) {
  if (constraint === undefined || grammar.isReady) return;
  await new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    grammar.ready().then(resolve, reject);
  });
}

/** Tokens that soft prompts take of the context. @param {Given} given */
function virtualTokens({ sampling }) {
  const ids = (sampling.adapters ?? []).map(({ id }) => id);
  const used = [...loadedAdapters.values()].filter(({ adapter }) => ids.includes(adapter));
  return used.reduce((sum, { virtualTokens }) => sum + virtualTokens, 0);
}

/**
 * @param {Given} given
 * @param {number | undefined} session The session that goes on.
 * @param {number} [shift] Tokens that stay where the context is full.
 * @returns {Given}
 */
function inSession(given, session, shift) {
  return { ...given, sampling: { ...given.sampling, session, shift } };
}

/**
/**
 * What a text is sampled by: where the model's files ask for beams, a structure asks for one text.
 * @param {Given} given
 */
function samplingOf({ sampling, constraint }) {
  return constraint === undefined ? sampling : { numBeams: 1, ...sampling };
}

/**
 * Whether a text can be written together with those under way. Where a device was lost, not all of these may have found that out and
 * be counted by the model.
 * @param {number} model
 * @param {Given} given
 * @param {number} running
 */
function mayJoin(model, given, running) {
  const { wasm, maxBatch } = find(model);
  if (given.draft !== undefined || running >= maxBatch) return false;
  try {
    return wasm.mayJoin(samplingOf(given));
  } catch {
    return false; // what is wrong with it is told in its turn
  }
}

/**
 * @param {number} model
 * @param {string | Uint32Array} prompt
 * @param {Given} given
 * @param {() => Promise<void>} breathe
 * @param {Call} call
 */
async function stream(model, prompt, given, breathe, call) {
  const { sampling, draft, constraint } = given;
  const { wasm, recovery } = find(model);
  const other = draft === undefined ? null : find(draft);
  const recoveries = [recovery, other?.recovery ?? null];
  if (constraint === undefined) {
    const begin = () =>
      other === null ? wasm.generate(prompt, sampling) : wasm.generateWithDraft(prompt, sampling, other.wasm);
    return follow(await surviving(recoveries, begin), sampling, breathe, call, recoveries);
  }
  const held = await grammar.constraint(wasm, constraint);
  try {
    const begin = () => wasm.generateConstrained(prompt, samplingOf(given), held);
    return await follow(await surviving(recoveries, begin), sampling, breathe, call, recoveries);
  } finally {
    held.free();
  }
}

/** @param {import("./wasm.js").Model} wasm */
function destroy(wasm) {
  grammar.forget(wasm);
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
 * @param {number} id A request. Where it was a load that has ended already, its model or adapter goes: the page gave up on it.
 */
function abort(id) {
  const controller = running.get(id);
  const call = { signal: new AbortController().signal, emit() {} };
  const adapter = loadedAdapters.get(id);
  if (controller) controller.abort();
  else if (models.has(id)) void operations.unload({ model: id }, call, id);
  else if (adapter) void operations.unloadAdapter(adapter, call, id).catch(() => {}); // its model may be going too
}

/**
 * @param {string} file
 * @param {string} url
 * @returns {string} The file's URL where it lies beside the other; of a blob, which has no neighbours, one that is not there.
 */
function beside(file, url) {
  return URL.canParse(file, url) ? new URL(file, url).href : file;
}

/** @param {ReturnType<typeof import("./addresses.js").addressesOf>} urls */
async function start({ helperUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl }) {
  grammar = new GrammarModule({ glueUrl: grammarGlueUrl ?? beside("intab_grammar.js", glueUrl), wasmUrl: grammarWasmUrl });
  askForSubgroups();
  const { module, glue } = await engine.load({ glueUrl, wasmUrl });
  glue.initSync({ module });
  code = { helperUrl, module, glueUrl };
  return glue;
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
