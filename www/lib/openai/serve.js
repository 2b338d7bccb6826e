// The page's own `/v1/…`: a service worker takes the requests and this page answers them.

import { serviceWorkerAddress } from "../addresses.js";
import { wrong } from "../checks.js";

/**
 * @typedef {object} ServeOptions
 * @property {import("./handler.js").Handler} [handler] What answers. Default: `intab.fetch`.
 * @property {string | URL} [scope] The part of the site whose pages are served; requests to `v1/…` below it are answered.
 *   Default: where the script lies.
 * @property {string | URL} [script] The service worker's script. A browser lets it serve what lies beside or below it, so a
 *   page usually has one of its own at the top of its site, of one line: `import "./lib/openai/service-worker.js";`.
 *   Default: that file itself, which serves more than its folder only where the server sends it with the header
 *   `Service-Worker-Allowed`.
 */

/**
 * @typedef {object} Serving
 * @property {string} baseURL For clients: the URL of the scope, and `v1`.
 * @property {() => Promise<void>} stop This page answers no more. The service worker stays, for other pages.
 */

/** How a service worker asks; the answers come over the port that it sends along. */
export const ASKS = "intab:asks";

/**
 * @typedef {{method: string, url: string, body: string | null}} Question
 * @typedef {{accept: true} | {status: number, headers: [string, string][]} | {chunk: Uint8Array} | {end: true} |
 *   {failed: string}} Word What a page says, in this order: that it answers, the head, parts of the body, the end.
 */

/**
 * @param {import("./handler.js").Handler} fallback
 * @param {ServeOptions} [options]
 * @returns {Promise<Serving>} Resolves when requests of this page are answered. Rejects with `InputError` where the browser
 *   has no service workers or does not allow the scope, and where another service worker gets this page's requests.
 */
export async function serveWith(fallback, options = {}) {
  const { handler = fallback, scope, script = serviceWorkerAddress(), ...rest } = options;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw wrong(`serve ${unknown}`, "unknown name; known are handler, scope, script");
  if (typeof handler !== "function") throw wrong("serve handler", "expected a function like fetch");
  const workers = globalThis.navigator?.serviceWorker;
  if (!workers) throw wrong("serve page", "service workers need https: or localhost, and a window");
  let registration;
  try {
    registration = await workers.register(script, {
      type: "module",
      ...(scope === undefined ? {} : { scope: String(scope) }),
    });
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw wrong(
      "serve scope",
      `the service worker was refused (${problem}): ` +
        "give a script at the top of the site, or send it with Service-Worker-Allowed",
    );
  }
  const answer = (/** @type {MessageEvent} */ event) => {
    if (event.data?.[ASKS]) void reply(handler, event.data[ASKS], event.ports[0]);
  };
  workers.addEventListener("message", answer);
  workers.startMessages();
  try {
    await isControlled(workers, registration);
  } catch (error) {
    workers.removeEventListener("message", answer);
    throw error;
  }
  return {
    baseURL: new URL("v1", registration.scope).href,
    async stop() {
      workers.removeEventListener("message", answer);
    },
  };
}

/**
 * Waits until this very service worker sees this page's requests, not one that was there before.
 * @param {ServiceWorkerContainer} workers
 * @param {ServiceWorkerRegistration} registration
 */
async function isControlled(workers, registration) {
  const { href } = globalThis.location;
  // A page outside may still answer for pages inside.
  if (!href.startsWith(registration.scope)) return;
  const own = await workers.getRegistration(href);
  if (own && own.scope !== registration.scope) {
    const problem = `this page belongs to the service worker of ${own.scope}, which gets its requests`;
    throw wrong("serve scope", `${problem}: give that scope, or import this script there`);
  }
  const worker = registration.installing ?? registration.waiting ?? registration.active;
  if (!worker) throw wrong("serve script", "the service worker went before it was started");
  await until(worker, "statechange", () => {
    if (worker.state === "redundant") throw wrong("serve script", "the service worker was replaced by another or did not start");
    return worker.state === "activated";
  });
  if (workers.controller === worker) return;
  const controlled = until(workers, "controllerchange", () => workers.controller === worker);
  worker.postMessage("intab:claim");
  await controlled;
}

/**
 * @param {EventTarget} target
 * @param {string} type Of the event after which it is looked again.
 * @param {() => boolean} isSo
 * @returns {Promise<void>} Rejects with what `isSo` throws.
 */
function until(target, type, isSo) {
  return new Promise((resolve, reject) => {
    const look = () => {
      try {
        if (!isSo()) return;
        resolve();
      } catch (error) {
        reject(error);
      }
      target.removeEventListener(type, look);
    };
    target.addEventListener(type, look);
    look();
  });
}

/**
 * @param {import("./handler.js").Handler} handler
 * @param {Question} question
 * @param {MessagePort} port
 */
async function reply(handler, { method, url, body }, port) {
  const request = new AbortController();
  const say = (/** @type {Word} */ word) => port.postMessage(word);
  const go = new Promise((resolve) => {
    port.onmessage = ({ data }) => (data === "go" ? resolve(null) : request.abort());
  });
  say({ accept: true });
  await go;
  try {
    const response = await handler(url, { method, body, signal: request.signal });
    say({ status: response.status, headers: [...response.headers] });
    const reader = response.body?.getReader();
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
      if (done) break;
      say({ chunk: value });
    }
    say({ end: true });
  } catch (error) {
    say({ failed: error instanceof Error ? error.message : String(error) });
  } finally {
    port.close();
  }
}
