// What the worker uses of `pkg/intab_grammar.js`, the module that wasm-bindgen makes from `grammar/src/wasm.rs`.

import type { Held } from "./wasm.js";

/** Starts the WebAssembly module. */
export function initSync(input: { module: WebAssembly.Module }): { memory: WebAssembly.Memory };

/** The structures of one model's vocabulary. */
export class Grammars {
  /** From the bytes of all tokens, one behind the other, and where those of each token end. */
  constructor(bytes: Uint8Array, ends: Uint32Array);
  /** Throws an `InputError` or `UnsupportedError` by name. */
  constraint(kind: string, text: string, prefix: string): Held;
  free(): void;
}
