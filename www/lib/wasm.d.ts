// What the worker uses of `pkg/intab.js`, the module that wasm-bindgen makes from `src/js`.

import type { Crew } from "./crew.js";
import type { Keeper } from "./storage/keeper.js";
import type {
  AdapterInfo,
  Backend,
  GenerateResult,
  MemoryEstimate,
  MemoryUse,
  Message,
  ModelInfo,
  Quantize,
  SamplingOptions,
  TemplateOptions,
  TokenLogprobs,
  WireSource,
} from "./types.js";

/** Starts the WebAssembly module. */
export function initSync(input: { module: WebAssembly.Module }): { memory: WebAssembly.Memory };

/** What is held now. */
export function memoryUse(): MemoryUse;

export class Model {
  private constructor();
  static load(
    source: WireSource,
    options: {
      backend: Backend;
      contextLength?: number;
      quantize?: Quantize;
      kvCache?: "f32" | "f16" | "q8_0";
      defaultLimits?: boolean;
      threads?: number;
      maxBatch?: number;
      /** Threads that may run at the same time. */
      cores: number;
      autotune?: boolean;
      /** `ModelInfo.tuning` of an earlier load. */
      tuning?: string;
      integrity?: string | Record<string, string>;
    },
    onProgress: (stage: string, loaded: number, total: number) => void,
    signal: AbortSignal,
    hire: (n: number) => Promise<Crew>,
    keeper: Keeper,
  ): Promise<Model>;
  /** What a load would take on each kind of device. */
  static estimate(
    source: WireSource,
    options: { contextLength?: number; quantize?: Quantize; kvCache?: "f32" | "f16" | "q8_0" },
    signal: AbortSignal,
    keeper: Keeper,
  ): Promise<{ cpu: MemoryEstimate; gpu: MemoryEstimate }>;
  info(): Omit<ModelInfo, "storage">;
  tokenize(text: string, addSpecial: boolean, parseSpecial: boolean): Uint32Array;
  detokenize(ids: Uint32Array, skipSpecial: boolean): string;
  chatPrompt(messages: Message[], options: TemplateOptions): string;
  /** Row-major, [n, nOut]. */
  logits(
    ids: Uint32Array,
    tokenTypes: Uint32Array | undefined,
    decoderIds: Uint32Array | undefined,
    fast: boolean,
    adapters: AdapterUse[],
  ): Promise<Float32Array>;
  task(request: TaskRequest, adapters: AdapterUse[]): Promise<unknown>;
  /** `id` is what `AdapterUse` and `unloadAdapter` name it by. */
  loadAdapter(
    source: WireSource,
    name: string | undefined,
    onProgress: (stage: string, loaded: number, total: number) => void,
    signal: AbortSignal,
    keeper: Keeper,
  ): Promise<AdapterInfo & { id: number }>;
  unloadAdapter(id: number): void;
  /** Whether a generation with these options would be written together with those under way, which else could not go on. */
  mayJoin(options: SamplingOptions): boolean;
  generate(prompt: string | Uint32Array, options: SamplingOptions): Promise<Generation>;
  /** The same with drafts of a smaller model. */
  generateWithDraft(prompt: string | Uint32Array, options: SamplingOptions, draft: Model): Generation;
  openSession(): number;
  closeSession(session: number): void;
  saveSession(session: number, ids: Uint32Array, note: string): Promise<Uint8Array>;
  restoreSession(bytes: Uint8Array): { session: number; ids: Uint32Array; note: string };
  /** The same with a text that is held to a structure. It does not free it. */
  generateConstrained(prompt: string | Uint32Array, options: SamplingOptions, held: Held): Generation;
  /** The bytes of all tokens, one behind the other, and where those of each token end. */
  tokenBytes(): { bytes: Uint8Array; ends: Uint32Array };
  /** Whether its device went away: what needs it fails with `DeviceLostError`. */
  isLost(): boolean;
  /** Goes on with the device of the same model loaded again, which is used up. */
  revive(fresh: Model): void;
  /** Destroys everything; later calls reject with `UnloadedError`. */
  unload(): void;
  free(): void;
}

/** A text under way that is held to a structure, by another module: see `grammar.js`. */
export interface Held {
  /** Finds out what may come next: 0 where something must follow, 1 where the text may end, 2 where it is over. */
  look(): number;
  /** What was found: bit `i % 32` of word `i / 32` for token `i`, until the next call. */
  allowed(): Uint32Array;
  accept(id: number): void;
  free(): void;
}
/** An adapter in a mix. */
export type AdapterUse = { id: number; weight: number };

/** A worker that multiplies for another: see `crew.js`. */
export class Helper {
  constructor();
  write(id: number, type: number, nOut: number, nIn: number, bytes: Uint8Array): void;
  forget(id: number): void;
  multiply(jobs: Uint32Array, fast: boolean, nIn: number, x: Float32Array, y: Float32Array): void;
  attend(slice: Uint32Array, kv: Float32Array, q: Float32Array, y: Float32Array): void;
  row(id: number, row: number, weights: Float32Array): void;
}

export class Generation {
  private constructor();
  /** Resolves after each step. */
  next(): Promise<Step>;
  /** Goes on where the device was lost, after `Model.revive`. */
  resume(): void;
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
  | { type: "search"; length: number }
  | ({ type: "token"; id: number; text: string } & Partial<Pick<TokenLogprobs, "logprob" | "top">>)
  | { type: "done"; text: string; result: GenerateResult };

/** What `Model.task` takes; what it gives is told by the methods of `model.js`. */
export type TaskRequest =
  | { task: "embed"; texts: string[]; pooling?: string; normalize: boolean; dimensions?: number }
  | { task: "classify"; texts: string[]; topK: number }
  | { task: "tag"; text: string; aggregation: string }
  | { task: "answer"; question: string; context: string; topK: number; maxAnswerLength: number }
  | { task: "fillMask"; text: string; topK: number }
  | { task: "score"; query: string; texts: string[] };
