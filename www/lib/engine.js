// Where the worker has the engine's code from.

import { compile } from "./compile.js";

/**
 * @typedef {typeof import("./wasm.js")} Wasm
 * @typedef {{module: WebAssembly.Module, glue: Wasm}} Code
 */

/** A worker that is one script with all that it needs puts a function of its own here. */
export const engine = {
  /** @param {{glueUrl: string, wasmUrl?: string}} urls @returns {Promise<Code>} */
  async load({ glueUrl, wasmUrl }) {
    const module = await compile(wasmUrl ?? new URL("intab_bg.wasm", glueUrl).href);
    return { module, glue: /** @type {Wasm} */ (await import(/* @vite-ignore */ /* webpackIgnore: true */ glueUrl)) };
  },
};
