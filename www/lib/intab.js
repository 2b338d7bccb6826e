// intab: language models in a browser tab. This is the package's only entry.
//
//   import { load } from "intab";
//   const model = await load("models/intab-stories.gguf");
//   for await (const piece of model.generate("Once upon a time")) document.body.append(piece);

import { Adapter } from "./adapter.js";
import { clientFor, liveClients } from "./client.js";
import { Model } from "./model.js";
import { handlerFor, modelsOf } from "./openai/handler.js";
import { Models } from "./openai/models.js";
import { serveWith } from "./openai/serve.js";
import { checkEstimateOptions, checkLoadOptions } from "./options.js";
import { checkAddress, checkSource } from "./values.js";
import * as catalog from "./storage/catalog.js";

export { droppedFiles } from "./drop.js";
export * from "./errors.js";
export { Generation } from "./generation.js";
export { Adapter, Model, Models };
export { Session } from "./session.js";

/**
 * @typedef {import("./types.js").AdapterInfo} AdapterInfo
 * @typedef {import("./types.js").AdapterOptions} AdapterOptions
 * @typedef {import("./types.js").Backend} Backend
 * @typedef {import("./types.js").ChatOptions} ChatOptions
 * @typedef {import("./types.js").GenerateOptions} GenerateOptions
 * @typedef {import("./types.js").GenerateResult} GenerateResult
 * @typedef {import("./types.js").EstimateOptions} EstimateOptions
 * @typedef {import("./types.js").LoadOptions} LoadOptions
 * @typedef {import("./types.js").MemoryEstimate} MemoryEstimate
 * @typedef {import("./types.js").MemoryUse} MemoryUse
 * @typedef {import("./types.js").Message} Message
 * @typedef {import("./types.js").ModelInfo} ModelInfo
 * @typedef {import("./types.js").NamedFile} NamedFile
 * @typedef {import("./types.js").Progress} Progress
 * @typedef {import("./types.js").CacheMode} CacheMode
 * @typedef {import("./types.js").SessionOptions} SessionOptions
 * @typedef {import("./types.js").Source} Source
 * @typedef {import("./types.js").StorageInfo} StorageInfo
 * @typedef {import("./types.js").StorageUsage} StorageUsage
 * @typedef {import("./types.js").StoredFile} StoredFile
 * @typedef {import("./generation.js").Token} Token
 * @typedef {import("./openai/handler.js").Handler} Handler
 * @typedef {import("./openai/handler.js").HandlerOptions} HandlerOptions
 * @typedef {import("./openai/models.js").ModelEntry} ModelEntry
 * @typedef {import("./openai/models.js").ModelsOptions} ModelsOptions
 * @typedef {import("./openai/remote.js").Remote} Remote
 * @typedef {import("./openai/serve.js").ServeOptions} ServeOptions
 * @typedef {import("./openai/serve.js").Serving} Serving
 */

/**
 * Loads a model. All of its work happens in one worker, which is started by the first call and shared by all models;
 * several models may be loaded at a time. Nothing is requested but what `source` names and intab's own files.
 * @param {Source} source
 * @param {LoadOptions} [options]
 * @returns {Promise<Model>} Rejects with `InputError` (wrong argument), `SourceError` (not found, network), `FormatError`
 *   (not a model, or damaged), `IntegrityError` (another file than the one meant), `StorageError` and `StorageFullError` (where
 *   keeping is required), `UnsupportedError`, `NoDeviceError`, `OutOfMemoryError`, `DeviceLostError`, `DeviceError`,
 *   `WorkerCrashedError`, or the reason of an aborted signal. After an error the next load works as the first.
 */
export async function load(source, options = {}) {
  const { onProgress, ...rest } = checkLoadOptions(options);
  const { client, id, reply } = await ask("load", source, rest, onProgress);
  return new Model(client, id, reply, source, onProgress);
}

/** The models in the browser's storage, where `load` keeps what it fetched. All of them belong to the origin of the page. */
export const storage = {
  /** @returns {Promise<StoredFile[]>} What is kept, also in part; the file that was used last comes first. */
  list: () => catalog.list(),

  /**
   * Deletes a file, or all files of a model.
   * @param {string | URL} url As it was loaded.
   * @returns {Promise<number>} How many files there were. Rejects with `StorageError` where a load uses one; the others are
   *   deleted.
   */
  delete: async (url) => catalog.remove(checkAddress(url)),

  /** @returns {Promise<number>} As `delete`, for all models. */
  clear: () => catalog.remove(null),

  /** @returns {Promise<StorageUsage>} How full it is. */
  usage: () => catalog.usage(),

  /**
   * Asks the browser to delete nothing on its own when disks get full. It may ask the person.
   * @returns {Promise<boolean>} Whether it promised that.
   */
  persist: () => catalog.persist(),
};

/**
 * Tells what a load would take, before it: of the files the headers are read and little more, where the server has ranges.
 * @param {Source} source
 * @param {EstimateOptions} [options] Those that the load will have.
 * @returns {Promise<{cpu: MemoryEstimate, gpu: MemoryEstimate}>} Rejects as `load` does for the files and the options.
 */
export async function estimate(source, options = {}) {
  return (await ask("estimate", source, checkEstimateOptions(options))).reply;
}

/**
 * Asks the worker about a source; an abort takes effect at once, and what comes of the question is destroyed.
 * @param {string} op
 * @param {Source} source
 * @param {Record<string, any>} options
 * @param {(event: any) => void} [onEvent]
 */
async function ask(op, source, { signal, worker, workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl, ...engine }, onEvent) {
  const from = checkSource(source);
  signal?.throwIfAborted();
  const client = clientFor({ worker, workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl });
  const { id, reply } = client.call(op, { source: from, options: engine }, onEvent);
  const onAbort = () => client.cancel(id, signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    return { client, id, reply: await reply };
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

/**
 * Memory held now by all models of this page. The figures remain after `unload`, so they tell whether all came back.
 * @returns {Promise<MemoryUse>} Zeros while no worker runs.
 */
export async function memory() {
  const total = { wasmBytes: 0, gpuBytes: 0, gpuBuffers: 0 };
  for (const client of liveClients()) {
    const { wasmBytes, gpuBytes, gpuBuffers } = await client.call("memory", {}).reply;
    total.wasmBytes += wasmBytes;
    total.gpuBytes += gpuBytes;
    total.gpuBuffers += gpuBuffers;
  }
  return total;
}

/**
 * Ends the worker and with it gives back all memory, the WebAssembly module's too, which unloading alone does not. Models
 * that are still loaded fail with `UnloadedError` from then on; the next `load` starts anew.
 */
export function release() {
  for (const client of liveClients()) client.release();
}

/**
 * The models that `fetch` and `serve` answer with: `models.add("name", model)`, or a source that the first request loads. With
 * `models.memoryBudget = 2e9` those that were not used for long are unloaded where another needs their room.
 */
export const models = /* @__PURE__ */ new Models(load, { estimate });

/**
 * OpenAI's API as a function like the platform's `fetch`, answered in this page: `/v1/models`, `/v1/chat/completions`,
 * `/v1/completions`, `/v1/embeddings`, `/v1/responses` and `/v1/rerank`, of whatever host.
 * ```js
 * const handler = createHandler({ stories: "/models/intab-stories.gguf" });
 * const client = new OpenAI({ baseURL: "http://intab/v1", apiKey: "none", fetch: handler, dangerouslyAllowBrowser: true });
 * ```
 * Requests for one model are answered in the order in which they came, texts side by side where the model writes several at a
 * time (`LoadOptions.maxBatch`). A parameter that is not supported is refused by its name. The header `X-Intab-Served-By` of a response says who answered: `device` or `remote`.
 * @param {Models | Record<string, ModelEntry>} served Models by the ids that requests name: loaded ones, sources, or functions.
 * @param {HandlerOptions & {memoryBudget?: number}} [options] `memoryBudget`, as in `ModelsOptions`, of models that are not a
 *   `Models`, which has one of its own.
 * @returns {Handler}
 * @throws {InputError} For what is no model, and for an unknown option.
 */
export function createHandler(served, options = {}) {
  const { memoryBudget, ...rest } = options;
  return handlerFor(modelsOf(served, load, { memoryBudget, estimate }), rest);
}

const answerHere = /* @__PURE__ */ createHandler(models);

/**
 * The handler over `models`.
 * @type {Handler}
 */
export { answerHere as fetch };

/**
 * Lets a service worker answer the page's own `/v1/…`, so that clients need no `fetch` of ours; see `ServeOptions`.
 * @param {ServeOptions} [options]
 * @returns {Promise<Serving>} Rejects with `InputError`.
 */
export function serve(options = {}) {
  return serveWith(answerHere, options);
}
