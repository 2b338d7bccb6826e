// The app's service worker: keeps the app's files, so that it runs without a network. Models are kept by the library.
//
// A version is a set of files with one name. It is installed beside the one before and takes over when no page has that open any
// more, so that a page goes on with the files that it began with, those too that it asks for late.

/**
 * @typedef {Event & {waitUntil(work: Promise<unknown>): void}} LongEvent
 * @typedef {Event & {request: Request, respondWith(response: Promise<Response>): void}} FetchEvent
 * @typedef {{url: string, postMessage(message: unknown): void}} Client
 */

// Typed by hand: the DOM and the worker type libraries cannot be used in one program.
const scope =
  /** @type {EventTarget & {importScripts(url: string): void, skipWaiting(): Promise<void>,
   *   INTAB_FILES: {version: string, files: Record<string, string>},
   *   clients: {claim(): Promise<void>, matchAll(options: object): Promise<Client[]>}}} */ (
    /** @type {unknown} */ (globalThis)
  );

// A part of this script: where the list is another, so is the version.
scope.importScripts("pkg/offline.js");
const { version, files } = scope.INTAB_FILES;
const site = new URL("./", location.href).href;
/** Several copies of the app may share an origin. */
const ours = `intab-app:${site}:`;
const current = ours + version;

scope.addEventListener("install", (event) => /** @type {LongEvent} */ (event).waitUntil(install()));
scope.addEventListener("activate", (event) => /** @type {LongEvent} */ (event).waitUntil(activate()));

scope.addEventListener("message", (event) => {
  const { data, source } = /** @type {MessageEvent} */ (event);
  if (data !== "intab:take-over") return;
  /** @type {LongEvent} */ (event).waitUntil(takeOver(/** @type {Client | null} */ (/** @type {unknown} */ (source))));
});

scope.addEventListener("fetch", (event) => {
  const asked = /** @type {FetchEvent} */ (event);
  const { request } = asked;
  if (request.method !== "GET") return;
  const url = new URL(request.url);
  const isPage = request.mode === "navigate";
  url.search = ""; // of a page it is for the page, of a file for bundlers
  const path = url.href.startsWith(site) ? url.href.slice(site.length).replace(/(^|\/)index\.html$/, "$1") : null;
  if (path !== null && Object.hasOwn(files, path)) asked.respondWith(kept(path, request));
  // Servers lead from the top of the site to the app; without one this does.
  else if (isPage && path === "") asked.respondWith(fetch(request).catch(() => Response.redirect(`${site}app/`)));
});

/** Keeps all files, each of them the one that the list means; else the next visit tries again. */
async function install() {
  const isNew = !(await caches.has(current));
  const cache = await caches.open(current);
  try {
    await Promise.all(
      Object.entries(files).map(async ([path, integrity]) => {
        const response = await fetch(site + path, { integrity, cache: "no-cache" });
        if (!response.ok) throw new Error(`${path}: HTTP status ${response.status}`);
        // The headers stay with it: without theirs the app would not be isolated.
        await cache.put(site + path, response);
      }),
    );
  } catch (error) {
    if (isNew) await caches.delete(current);
    throw error;
  }
}

/** No page has the version before. */
async function activate() {
  const names = (await caches.keys()).filter((name) => name.startsWith(ours) && name !== current);
  await Promise.all(names.map((name) => caches.delete(name)));
  await scope.clients.claim();
}

/** @param {string} path @param {Request} request */
async function kept(path, request) {
  const cache = await caches.open(current);
  return (await cache.match(site + path)) ?? fetch(request);
}

/** Takes the place of the version before at once, where the page that asks for it is the only one. @param {Client | null} asking */
async function takeOver(asking) {
  const pages = await scope.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (pages.filter(({ url }) => url.startsWith(site)).length <= 1) await scope.skipWaiting();
  else asking?.postMessage("intab:others-open");
}
