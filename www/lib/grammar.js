// Constraints, from a WebAssembly module of their own that is loaded when the first is asked for. It runs in the worker.

import { compile } from "./compile.js";
import { SourceError } from "./errors.js";

/**
 * @typedef {typeof import("./grammar-module.js")} Module
 * @typedef {import("./constraint.js").WireConstraint} WireConstraint
 * @typedef {import("./wasm.js").Model} Model
 */

export class GrammarModule {
  #glueUrl;
  #wasmUrl;
  /** @type {Promise<Module> | undefined} */
  #module;
  /** @type {WebAssembly.Memory | undefined} */
  #memory;
  /** Whether the module need not be waited for. */
  isReady = false;
  /** What makes constraints for each model. @type {Map<Model, import("./grammar-module.js").Grammars>} */
  #grammars = new Map();

  /** @param {{glueUrl: string, wasmUrl?: string}} urls */
  constructor({ glueUrl, wasmUrl }) {
    this.#glueUrl = glueUrl;
    this.#wasmUrl = wasmUrl;
  }

  /** Of its memory; 0 until it is loaded. */
  get memoryBytes() {
    return this.#memory?.buffer.byteLength ?? 0;
  }

  /**
   * A text of the model that is held to a structure; whoever asks frees it.
   * @param {Model} model
   * @param {WireConstraint} constraint
   * @returns {Promise<import("./wasm.js").Held>} Rejects with `InputError`, `UnsupportedError`, and `SourceError` where the
   *   module could not be loaded.
   */
  async constraint(model, { kind, text, prefix }) {
    let grammars = this.#grammars.get(model);
    if (!grammars) {
      const { bytes, ends } = model.tokenBytes();
      const { Grammars } = await this.ready();
      grammars = new Grammars(bytes, ends);
      this.#grammars.set(model, grammars);
    }
    return grammars.constraint(kind, text, prefix);
  }

  /** The model is no more. @param {Model} model */
  forget(model) {
    this.#grammars.get(model)?.free();
    this.#grammars.delete(model);
  }

  /** @returns {Promise<Module>} Rejects with `SourceError` where it could not be loaded. */
  ready() {
    this.#module ??= this.#start().catch((error) => {
      this.#module = undefined; // another call may have better luck
      const problem = error instanceof Error ? error.message : String(error);
      const message = `cannot read the module for constraints, ${this.#glueUrl}: ${problem}`;
      throw new SourceError(message, { source_name: this.#glueUrl, problem });
    });
    return this.#module;
  }

  async #start() {
    const module = await compile(this.#wasmUrl ?? new URL("intab_grammar_bg.wasm", this.#glueUrl).href);
    const glue = /** @type {Module} */ (await import(/* @vite-ignore */ /* webpackIgnore: true */ this.#glueUrl));
    this.#memory = glue.initSync({ module }).memory;
    this.isReady = true;
    return glue;
  }
}
