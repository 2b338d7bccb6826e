// What the worker uses of `pkg/intab.js`, the module that wasm-bindgen makes from `src/js`.

import type {
  Backend,
  GenerateResult,
  MemoryUse,
  Message,
  ModelInfo,
  SamplingOptions,
  TemplateOptions,
  WireSource,
} from "./types.js";

/** Compiles and starts the WebAssembly module; without `input` it is fetched from beside the glue. */
export default function init(input?: { module_or_path: string }): Promise<unknown>;

/** What is held now. */
export function memoryUse(): MemoryUse;

export class Model {
  private constructor();
  static load(
    source: WireSource,
    options: { backend: Backend; contextLength?: number; defaultLimits?: boolean },
    onProgress: (stage: string, loaded: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<Model>;
  info(): ModelInfo;
  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Uint32Array;
  detokenize(ids: Uint32Array, skipSpecial: boolean): string;
  piece(id: number): string;
  chatPrompt(messages: Message[], options: TemplateOptions): string;
  /** Row-major, [n, vocab]. */
  logits(ids: Uint32Array): Promise<Float32Array>;
  generate(prompt: string | Uint32Array, options: SamplingOptions): Promise<Generation>;
  /** Destroys everything; later calls reject with `UnloadedError`. */
  unload(): void;
  free(): void;
}

export class Generation {
  private constructor();
  /** Resolves after each step. */
  next(): Promise<Step>;
  /** Takes effect at the next step: the following `next()` gives `done` with the finish reason `"abort"`. */
  abort(): void;
  free(): void;
}

/**
 * A token's text is empty while a character is incomplete or a stop text may be starting; what is held back when the end
 * comes is in the last step. The texts one after another are the result's text.
 */
export type Step =
  | { type: "prefill"; done: number; total: number }
  | { type: "token"; id: number; text: string }
  | { type: "done"; text: string; result: GenerateResult };
