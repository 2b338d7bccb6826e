// The service worker of `intab.serve`: passes requests to `v1/…` below its scope to a page that has the models, and where there
// is none to the site's server.

import { ApiError } from "./errors.js";
import { ASKS } from "./serve.js";

/**
 * @typedef {import("./serve.js").Word} Word
 * @typedef {{id: string, postMessage(message: unknown, transfer: Transferable[]): void}} Client
 * @typedef {{id: string, port: MessagePort}} Asked A page by its id, and where it answers.
 * @typedef {Event & {request: Request, clientId: string, respondWith(response: Promise<Response>): void}} FetchEvent
 * @typedef {Event & {waitUntil(work: Promise<unknown>): void}} LongEvent
 */

// Typed by hand: the DOM and the worker type libraries cannot be used in one program.
const scope =
  /** @type {EventTarget & {registration: {scope: string}, skipWaiting(): Promise<void>, clients: {claim(): Promise<void>,
   *   matchAll(options: object): Promise<Client[]>, get(id: string): Promise<Client | undefined>}}} */ (
    /** @type {unknown} */ (globalThis)
  );

/** A page that answers says so within this time, in ms, though it may be busy drawing. */
const PATIENCE = 3000;

/** The page that asks answers itself if it can: the others wait so long for its word, in ms. */
const PRECEDENCE = 100;

/** How often it is looked whether the page that answers is still there, in ms. */
const LOOK = 1000;

scope.addEventListener("install", (event) => /** @type {LongEvent} */ (event).waitUntil(scope.skipWaiting()));
scope.addEventListener("activate", (event) => /** @type {LongEvent} */ (event).waitUntil(scope.clients.claim()));
scope.addEventListener("message", (event) => {
  const { data } = /** @type {MessageEvent} */ (event);
  if (data === "intab:claim") /** @type {LongEvent} */ (event).waitUntil(scope.clients.claim());
});

scope.addEventListener("fetch", (event) => {
  const { request, clientId } = /** @type {FetchEvent} */ (event);
  const base = new URL("v1/", scope.registration.scope).href;
  if (request.url.startsWith(base)) /** @type {FetchEvent} */ (event).respondWith(pass(request, clientId));
});

/** @param {Request} request @param {string} asking The page's id. @returns {Promise<Response>} */
async function pass(request, asking) {
  const { method, url } = request;
  const forServer = request.clone();
  const body = method === "GET" || method === "HEAD" ? null : await request.text();
  const taken = await pageThatAnswers({ method, url, body }, asking);
  if (taken) return answerOf(taken, request.signal);
  try {
    // The site may have a `/v1` of its own.
    return await fetch(forServer);
  } catch (error) {
    request.signal.throwIfAborted();
    const problem = error instanceof Error ? error.message : String(error);
    const message = `no open page of this site serves models, and its server cannot be reached (${problem}): open a page that calls intab.serve`;
    const { status, body: failure } = new ApiError(503, message, { code: "no_page" });
    return new Response(JSON.stringify(failure), { status, headers: { "Content-Type": "application/json" } });
  }
}

/**
 * Asks all pages; the first that says that it answers is taken, or the one that asks itself.
 * @param {import("./serve.js").Question} question
 * @param {string} asking The id of the page whose request it is.
 * @returns {Promise<Asked | null>}
 */
async function pageThatAnswers(question, asking) {
  const pages = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  /** @type {Asked[]} */
  const asked = [];
  const taken = await /** @type {Promise<Asked | null>} */ (
    new Promise((resolve) => {
      setTimeout(() => resolve(null), pages.length > 0 ? PATIENCE : 0);
      for (const page of pages) {
        const { port1: port, port2 } = new MessageChannel();
        const one = { id: page.id, port };
        asked.push(one);
        port.onmessage = () => setTimeout(() => resolve(one), page.id === asking ? 0 : PRECEDENCE);
        page.postMessage({ [ASKS]: question }, [port2]);
      }
    })
  );
  for (const one of asked) if (one !== taken) one.port.close();
  return taken;
}

/**
 * @param {Asked} taken
 * @param {AbortSignal} signal
 * @returns {Promise<Response>}
 */
function answerOf({ id, port }, signal) {
  const abort = () => port.postMessage("abort");
  signal.addEventListener("abort", abort, { once: true });
  return new Promise((resolve, reject) => {
    /** @type {ReadableStreamDefaultController<Uint8Array>} */
    let parts;
    const end = () => {
      clearInterval(look);
      port.close();
      signal.removeEventListener("abort", abort);
    };
    const fail = (/** @type {string} */ problem) => {
      end();
      reject(new TypeError(problem));
      parts.error(new TypeError(problem));
    };
    // A page that is closed says nothing more, and not every browser tells the other end of a port.
    const look = setInterval(async () => {
      if (!(await scope.clients.get(id))) fail("the page that was answering is closed");
    }, LOOK);
    const cancel = () => {
      abort();
      end();
    };
    const body = new ReadableStream({ start: (controller) => void (parts = controller), cancel });
    port.onmessage = ({ data }) => {
      const word = /** @type {Word} */ (data);
      if ("status" in word) resolve(new Response(body, word));
      else if ("chunk" in word) parts.enqueue(word.chunk);
      else if ("failed" in word) fail(word.failed);
      else if ("end" in word) {
        end();
        parts.close();
      }
    };
    port.postMessage("go");
  });
}
