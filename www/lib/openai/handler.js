// Requests of OpenAI's API, answered in the page: what comes in, who answers, and how it fails.

import { unknownName, wrong } from "../checks.js";
import { ApiError, asApiError } from "./errors.js";
import { jsonResponse } from "./json-response.js";
import { Models } from "./models.js";
import { RemoteServer } from "./remote.js";
import { ResponseStore } from "./responses-store.js";

/**
 * @typedef {object} HandlerOptions
 * @property {import("./remote.js").Remote} [remote] A server that answers what this device cannot. Default: none; nothing is
 *   sent anywhere then.
 */

/** @typedef {(input: RequestInfo | URL, init?: RequestInit) => Promise<Response>} Handler As `fetch`. */

/** The endpoints that take a body. A page that only makes a handler does not load what is behind them. */
const PATHS = ["chat/completions", "completions", "embeddings", "rerank", "responses"];

/**
 * @param {Models} models
 * @param {HandlerOptions} [options]
 * @returns {Handler} It rejects only as `fetch` does where its signal fires; every other failure is a response.
 */
export function handlerFor(models, options = {}) {
  const { remote, ...rest } = options;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw unknownName("handler options", unknown, ["remote", "memoryBudget"]);
  const server = remote === undefined ? null : new RemoteServer(remote);
  const stored = new ResponseStore();

  return async (input, init) => {
    const request = new AbortController();
    const forget = follow(init?.signal ?? (input instanceof Request ? input.signal : undefined), request);
    try {
      const incoming = await read(input, init, request);
      return untilRead(await route(incoming, { models, server, stored, request }), forget);
    } catch (error) {
      forget();
      if (request.signal.aborted) throw request.signal.reason;
      const failure = asApiError(error);
      return new Response(JSON.stringify(failure.body), {
        status: failure.status,
        headers: { "Content-Type": "application/json", "X-Intab-Served-By": "device" },
      });
    }
  };
}

/**
 * @param {AbortSignal | null | undefined} signal The caller's.
 * @param {AbortController} request Is aborted when it fires.
 * @returns {() => void} Ends that, as a signal may live on for long.
 */
function follow(signal, request) {
  const abort = () => request.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort, { once: true });
  return () => signal?.removeEventListener("abort", abort);
}

/**
 * @param {Response} response
 * @param {() => void} done Called when nothing of it is to come any more.
 * @returns {Response} The same.
 */
function untilRead(response, done) {
  const { body, status, statusText, headers } = response;
  if (!body || headers.get("Content-Type") === "application/json") {
    done();
    return response;
  }
  const reader = body.getReader();
  const passed = new ReadableStream({
    async pull(controller) {
      try {
        const { done: isDone, value } = await reader.read();
        if (!isDone) return controller.enqueue(value);
        done();
        controller.close();
      } catch (error) {
        done();
        controller.error(error);
      }
    },
    cancel(reason) {
      done();
      return reader.cancel(reason);
    },
  });
  return new Response(passed, { status, statusText, headers });
}

/**
 * @typedef {{method: string, path: string, text: string | undefined}} Incoming `path` is what follows `/v1/`.
 * @typedef {{models: Models, server: RemoteServer | null, stored: ResponseStore, request: AbortController}} Context
 */

/**
 * @param {RequestInfo | URL} input
 * @param {RequestInit | undefined} init
 * @param {AbortController} request
 * @returns {Promise<Incoming>}
 */
async function read(input, init, request) {
  const isRequest = input instanceof Request;
  const url = new URL(isRequest ? input.url : input, globalThis.location?.href ?? "http://localhost/");
  request.signal.throwIfAborted();
  const method = (init?.method ?? (isRequest ? input.method : "GET")).toUpperCase();
  const body = init?.body ?? (isRequest && method !== "GET" ? await input.text() : undefined);
  const text = body == null ? undefined : typeof body === "string" ? body : await new Response(body).text();
  const path = /\/v1\/(.*?)\/?$/.exec(url.pathname)?.[1] ?? "";
  return { method, path, text };
}

/** @param {Incoming} incoming @param {Context} context @returns {Promise<Response>} */
async function route({ method, path, text }, context) {
  const { models, server, stored, request } = context;
  if (path === "models") {
    allow(method, ["GET"], path);
    const elsewhere = server ? await server.models(request.signal) : [];
    return jsonResponse({ object: "list", data: [...models.list(), ...elsewhere] }, { "X-Intab-Served-By": "device" });
  }
  const [, model] = /^models\/(.+)$/.exec(path) ?? [];
  if (model !== undefined) {
    allow(method, ["GET"], path);
    return oneModel(decoded(model, path), path, context);
  }
  const [, response] = /^responses\/([^/]+)$/.exec(path) ?? [];
  if (response !== undefined) {
    allow(method, ["GET", "DELETE"], path);
    return storedResponse(stored, method, decoded(response, path));
  }
  if (!PATHS.includes(path)) throw unknownUrl(method, path);
  allow(method, ["POST"], path);
  return answer({ method, path, text }, context);
}

/** @param {string} id @param {string} path @param {Context} context */
async function oneModel(id, path, { models, server, request }) {
  const found = models.list().find((model) => model.id === id);
  if (found) return jsonResponse(found, { "X-Intab-Served-By": "device" });
  if (server) return server.forward("GET", path, undefined, request.signal);
  throw new ApiError(404, `the model ${JSON.stringify(id)} does not exist`, {
    param: "model",
    code: "model_not_found",
  });
}

/** @param {Incoming} incoming @param {Context} context @returns {Promise<Response>} */
async function answer({ method, path, text }, { models, server, stored, request }) {
  const body = parse(text);
  const named = body?.model;
  const model = typeof named === "string" ? named : undefined;
  const about = { path, model, body, known: model !== undefined && models.has(model) };
  const forward = () => /** @type {RemoteServer} */ (server).forward(method, path, text, request.signal);
  if (server && (await server.takes({ ...about, error: null }))) return forward();
  try {
    const { endpoints } = await loadEndpoints();
    return await endpoints[path]({ body, models, request, stored });
  } catch (error) {
    request.signal.throwIfAborted();
    const failure = asApiError(error);
    if (server && (await server.takes({ ...about, error: failure }))) return forward();
    throw failure;
  }
}

/** @type {Promise<typeof import("./endpoints.js")> | null} */
let loading = null;

/** Of several who wait for one promise the first goes on first, which several calls of `import` do not promise. */
function loadEndpoints() {
  loading ??= import("./endpoints.js").catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

/** @param {string} text Of a path. @param {string} path */
function decoded(text, path) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ApiError(400, `/v1/${path}: a per cent sign has to be written as %25`, { code: "invalid_url" });
  }
}

/** @param {string | undefined} text */
function parse(text) {
  try {
    return JSON.parse(text ?? "");
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new ApiError(400, `the body is no JSON: ${problem}`, { code: "invalid_json" });
  }
}

/** @param {string} method @param {string[]} allowed @param {string} path */
function allow(method, allowed, path) {
  if (allowed.includes(method)) return;
  const message = `${method} is not allowed for /v1/${path}, which takes ${allowed.join(" and ")}`;
  throw new ApiError(405, message, { code: "method_not_allowed" });
}

/** @param {string} method @param {string} path */
function unknownUrl(method, path) {
  const known = ["models", ...PATHS].map((name) => `/v1/${name}`).join(", ");
  return new ApiError(404, `there is no ${method} /v1/${path} here; there are ${known}`, { code: "unknown_url" });
}

/**
 * @param {Models | Record<string, import("./models.js").ModelEntry>} models
 * @param {import("./models.js").Load} load
 * @param {import("./models.js").ModelsOptions} [options]
 */
export function modelsOf(models, load, options = {}) {
  if (models instanceof Models) {
    if (options.memoryBudget === undefined) return models;
    throw wrong("memoryBudget", "the models that were given have one of their own: set it there");
  }
  const made = new Models(load, options);
  for (const [id, entry] of Object.entries(models)) made.add(id, entry);
  return made;
}

/**
 * GET and DELETE /v1/responses/ID
 * @param {ResponseStore} stored
 * @param {string} method
 * @param {string} id
 */
function storedResponse(stored, method, id) {
  const body = method === "DELETE" ? stored.delete(id) : stored.get(id).response;
  return jsonResponse(body, { "X-Intab-Served-By": "device" });
}
