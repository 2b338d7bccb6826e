// Keeps the app for visits without a network, by the service worker at the top of the site.

import { byId } from "./dom.js";

/**
 * What the page knows of it: whether its files are kept, and whether a newer version of them is.
 * @typedef {{kept: boolean, update: boolean, othersOpen: boolean}} Offline
 */

/** @type {ServiceWorker | null} */
let next = null;

/**
 * Has the browser keep the app. Where it cannot, or may not, the app is as good as ever while there is a network.
 * @param {import("./store.js").Store} store
 */
export async function keepApp(store) {
  const workers = navigator.serviceWorker;
  if (!workers) return; // no secure context
  try {
    const registration = await workers.register(new URL("../service-worker.js", import.meta.url), { updateViaCache: "none" });
    const tell = (/** @type {Partial<Offline>} */ change) => store.set({ offline: { ...store.state.offline, ...change } });
    const watch = (/** @type {ServiceWorker | null} */ coming) => {
      const look = () => {
        if (coming?.state !== "installed" || !registration.active) return;
        next = coming;
        tell({ update: true });
      };
      coming?.addEventListener("statechange", look);
      look();
    };
    registration.addEventListener("updatefound", () => watch(registration.installing));
    watch(registration.installing);
    watch(registration.waiting);
    workers.addEventListener("message", ({ data }) => {
      if (data === "intab:others-open") tell({ othersOpen: true });
    });
    await workers.ready;
    tell({ kept: true });
  } catch {
    // A network that has just gone, a browser that keeps nothing: nothing of it is a person's to mend.
  }
}

/** Goes over to the newer version, where no other page is open. */
export function startNext() {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  next?.postMessage("intab:take-over");
}

const note = byId("offline", HTMLElement);
const words = byId("offline-words", HTMLElement);
const button = byId("start-next", HTMLButtonElement);

/** @param {import("./store.js").State} state */
export function showOffline({ offline: { kept, update, othersOpen }, model }) {
  const isWhole = kept && model?.storage.kept === true;
  const news = othersOpen
    ? "A newer version starts when all tabs of this page are closed."
    : "A newer version of this page is ready.";
  words.textContent = update ? news : "Works without a network too.";
  button.hidden = !update || othersOpen;
  note.hidden = !update && !isWhole;
}
