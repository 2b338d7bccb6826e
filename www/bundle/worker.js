// The library's worker as one script with its glue; the page sends the module's bytes first.

import * as glue from "../pkg/intab.js";
import { engine } from "../lib/engine.js";
import "../lib/worker.js";

const wasm = /** @type {Promise<ArrayBuffer>} */ (
  new Promise((resolve) => {
    const onMessage = (/** @type {Event} */ event) => {
      const { data } = /** @type {MessageEvent} */ (event);
      if (!(data.wasm instanceof ArrayBuffer)) return;
      // The library's own listener knows nothing of it.
      event.stopImmediatePropagation();
      globalThis.removeEventListener("message", onMessage, true);
      resolve(data.wasm);
    };
    globalThis.addEventListener("message", onMessage, true);
  })
);

engine.load = async () => ({
  glue: /** @type {typeof import("../lib/wasm.js")} */ (/** @type {unknown} */ (glue)),
  module: await WebAssembly.compile(await wasm),
});
