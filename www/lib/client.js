// The page's side of the worker: requests with ids, replies, events, and what happens when the worker dies.

import { addressesOf } from "./addresses.js";
import { InputError, UnloadedError, WorkerCrashedError } from "./errors.js";
import { startModuleWorker } from "./module-worker.js";
import { fromWire } from "./wire.js";

/**
 * @typedef {{id: number, op: string, args?: any}} Request `op` is one of the worker's operations, or `"start"`, or
 *   `"abort"` with the id of the request to abort.
 * @typedef {{id: number, value: unknown} | {id: number, error: import("./wire.js").WireError} |
 *   {id: number, event: object} | {crash: string, starting: boolean}} Reply `starting`: its files
 *   could not be loaded, so that it never ran.
 * @typedef {{worker?: () => Worker, workerUrl?: string, glueUrl?: string, wasmUrl?: string, grammarGlueUrl?: string, grammarWasmUrl?: string}} Urls
 */

/**
 * @typedef {object} Pending
 * @property {(value: any) => void} resolve
 * @property {(reason: unknown) => void} reject
 * @property {(event: any) => void} onEvent
 */

export class Client {
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  /** What is told of models after their load. @type {Map<number, (event: any) => void>} */
  #listeners = new Map();
  #lastId = 0;
  /** Why this worker takes no more requests. @type {Error | null} */
  #ended = null;
  #worker;
  #onEnd;

  /**
   * @param {Urls} urls
   * @param {() => void} onEnd Called once, when this worker takes no more requests.
   */
  constructor({ worker, ...urls }, onEnd) {
    this.#onEnd = onEnd;
    const { workerUrl, ...args } = addressesOf(urls);
    this.#worker = worker ? worker() : startModuleWorker(workerUrl, "intab");
    this.#worker.addEventListener("message", ({ data }) => this.#receive(data));
    this.#worker.addEventListener("error", ({ message }) =>
      // Without a message it is the script itself that was not found or not allowed.
      this.#crash(message || "the worker's script could not be loaded", !message),
    );
    this.#worker.addEventListener("messageerror", () => this.#crash("a message could not be read"));
    this.#send({ id: 0, op: "start", args });
  }

  get ended() {
    return this.#ended !== null;
  }

  /**
   * @param {string} op
   * @param {object} args
   * @param {(event: any) => void} [onEvent] What the operation tells before its reply.
   * @returns {{id: number, reply: Promise<any>}}
   */
  call(op, args, onEvent = () => {}) {
    const id = ++this.#lastId;
    if (this.#ended) return { id, reply: Promise.reject(this.#ended) };
    const reply = new Promise((resolve, reject) => {
      try {
        this.#send({ id, op, args });
      } catch (error) {
        // A function among the values for a template, a detached buffer: what structured cloning refuses.
        const problem = error instanceof Error ? error.message : String(error);
        throw new InputError(`${op}: a value cannot be sent to the worker: ${problem}`, { what: op, problem });
      }
      this.#pending.set(id, { resolve, reject, onEvent });
    });
    return { id, reply };
  }

  /**
   * Hears what the worker tells of a model after its load.
   * @param {number} id The request that loaded it.
   * @param {((event: any) => void) | null} onEvent Null hears no more.
   */
  listen(id, onEvent) {
    if (onEvent) this.#listeners.set(id, onEvent);
    else this.#listeners.delete(id);
  }

  /**
   * Asks the worker to end a request soon; its reply still comes.
   * @param {number} id
   */
  abort(id) {
    if (this.#pending.has(id)) this.#send({ id, op: "abort" });
  }

  /**
   * Gives a request up: it rejects with `reason` now, and what it made is destroyed.
   * @param {number} id
   * @param {unknown} reason
   */
  cancel(id, reason) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#send({ id, op: "abort" });
    this.#pending.delete(id);
    pending.reject(reason);
  }

  /** Ends the worker with everything in it; what is pending rejects with `UnloadedError`. */
  release() {
    this.#end(new UnloadedError("the model was unloaded: its worker was released"));
  }

  /** @param {Request} request */
  #send(request) {
    this.#worker.postMessage(request);
  }

  /** @param {Reply} reply */
  #receive(reply) {
    if ("crash" in reply) return this.#crash(reply.crash, reply.starting);
    const pending = this.#pending.get(reply.id);
    if ("event" in reply) return (pending?.onEvent ?? this.#listeners.get(reply.id))?.(reply.event);
    if (!pending) return;
    this.#pending.delete(reply.id);
    if ("error" in reply) pending.reject(fromWire(reply.error));
    else pending.resolve(reply.value);
  }

  /** @param {string} problem @param {boolean} [starting] */
  #crash(problem, starting = false) {
    const message = starting
      ? `intab's own files could not be loaded (${problem}): check that the worker, the module and its .wasm are served`
      : `the worker has ended (${problem}): load the model again`;
    this.#end(new WorkerCrashedError(message, { problem, starting }));
  }

  /** @param {Error} error */
  #end(error) {
    if (this.#ended) return;
    this.#ended = error;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#listeners.clear();
    this.#onEnd();
  }
}

/**
 * Live workers by what starts them or where their code comes from; a page has one unless it names others.
 * @type {Map<string | (() => Worker), Client>}
 */
const clients = new Map();

/** @param {Urls} urls @returns {Client} A living one, started if need be. */
export function clientFor(urls) {
  const { worker, workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl } = urls;
  const key = worker ?? JSON.stringify([workerUrl, glueUrl, wasmUrl, grammarGlueUrl, grammarWasmUrl]);
  let client = clients.get(key);
  if (!client) {
    client = new Client(urls, () => clients.delete(key));
    clients.set(key, client);
  }
  return client;
}

/** @returns {Client[]} */
export function liveClients() {
  return [...clients.values()];
}
