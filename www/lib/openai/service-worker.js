// The service worker of `intab.serve`: passes requests to `v1/…` below its scope to a page that has the models.

import { ApiError } from "./errors.js";
import { ASKS } from "./serve.js";

/**
 * @typedef {import("./serve.js").Word} Word
 * @typedef {{postMessage(message: unknown, transfer: Transferable[]): void}} Client
 * @typedef {Event & {request: Request, respondWith(response: Promise<Response>): void}} FetchEvent
 * @typedef {Event & {waitUntil(work: Promise<unknown>): void}} LongEvent
 */

// Typed by hand: the DOM and the worker type libraries cannot be used in one program.
const scope =
  /** @type {EventTarget & {registration: {scope: string}, skipWaiting(): Promise<void>, clients: {claim(): Promise<void>,
   *   matchAll(options: object): Promise<Client[]>}}} */ (/** @type {unknown} */ (globalThis));

/** A page that answers says so within this time, in ms, though it may be busy drawing. */
const PATIENCE = 3000;

scope.addEventListener("install", (event) => /** @type {LongEvent} */ (event).waitUntil(scope.skipWaiting()));
scope.addEventListener("activate", (event) => /** @type {LongEvent} */ (event).waitUntil(scope.clients.claim()));
scope.addEventListener("message", (event) => {
  const { data } = /** @type {MessageEvent} */ (event);
  if (data === "intab:claim") /** @type {LongEvent} */ (event).waitUntil(scope.clients.claim());
});

scope.addEventListener("fetch", (event) => {
  const { request } = /** @type {FetchEvent} */ (event);
  const base = new URL("v1/", scope.registration.scope).href;
  if (request.url.startsWith(base)) /** @type {FetchEvent} */ (event).respondWith(pass(request));
});

/** @param {Request} request @returns {Promise<Response>} */
async function pass(request) {
  const { method, url } = request;
  const body = method === "GET" || method === "HEAD" ? null : await request.text();
  const port = await pageThatAnswers({ method, url, body });
  if (port) return answerOf(port, request.signal);
  const message = "no open page of this site serves models: open one that calls intab.serve";
  const { status, body: failure } = new ApiError(503, message, { code: "no_page" });
  return new Response(JSON.stringify(failure), { status, headers: { "Content-Type": "application/json" } });
}

/**
 * Asks all pages; the first that says that it answers is taken.
 * @param {import("./serve.js").Question} question
 * @returns {Promise<MessagePort | null>}
 */
async function pageThatAnswers(question) {
  const pages = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  /** @type {MessagePort[]} */
  const asked = [];
  const taken = await /** @type {Promise<MessagePort | null>} */ (
    new Promise((resolve) => {
      setTimeout(() => resolve(null), pages.length > 0 ? PATIENCE : 0);
      for (const page of pages) {
        const { port1, port2 } = new MessageChannel();
        asked.push(port1);
        port1.onmessage = () => resolve(port1);
        page.postMessage({ [ASKS]: question }, [port2]);
      }
    })
  );
  for (const port of asked) if (port !== taken) port.close();
  return taken;
}

/**
 * @param {MessagePort} port
 * @param {AbortSignal} signal
 * @returns {Promise<Response>}
 */
function answerOf(port, signal) {
  const abort = () => port.postMessage("abort");
  signal.addEventListener("abort", abort, { once: true });
  return new Promise((resolve, reject) => {
    /** @type {ReadableStreamDefaultController<Uint8Array>} */
    let parts;
    const body = new ReadableStream({ start: (controller) => void (parts = controller), cancel: abort });
    port.onmessage = ({ data }) => {
      const word = /** @type {Word} */ (data);
      if ("status" in word) resolve(new Response(body, word));
      else if ("chunk" in word) parts.enqueue(word.chunk);
      else if ("end" in word) parts.close();
      else if ("failed" in word) {
        reject(new TypeError(word.failed));
        parts.error(new TypeError(word.failed));
      }
    };
    port.postMessage("go");
  });
}
