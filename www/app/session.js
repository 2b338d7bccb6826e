// What the page does with models: load one, replace it, generate with it. Knows nothing of the page's elements.

import {
  ContextFullError,
  DeviceLostError,
  InputError,
  OutOfMemoryError,
  TemplateError,
  TokenizerError,
  WorkerCrashedError,
  load,
} from "../lib/intab.js";

/**
 * @typedef {import("../lib/intab.js").Model} Model
 * @typedef {import("../lib/intab.js").Generation} Generation
 * @typedef {import("../lib/intab.js").GenerateOptions} GenerateOptions
 * @typedef {import("../lib/intab.js").Source} Source
 * @typedef {import("../lib/intab.js").Backend} Backend
 * @typedef {import("./store.js").Store} Store
 * @typedef {{source: Source, label: string}} Origin
 * @typedef {{backend: Backend, contextLength?: number}} Device
 * @typedef {{chat: boolean, onStart: () => void, onText: (text: string) => void, onEnd: (isRefused: boolean) => void}} How
 *   `chat`: put the model's chat template around the prompt. `onText` comes once per frame, however fast tokens come.
 *   `onEnd` follows `onStart` whatever happens; `isRefused`: nothing was written, as the prompt was not accepted.
 */

/** The speed changes no faster than a person reads. */
const MEASURE_EVERY_MS = 250;

export class Session {
  #store;
  /** @type {Model | null} */
  #model = null;
  /** Where the model came from that is loaded or was asked for last. @type {Origin | null} */
  #origin = null;
  /** What the loaded model was loaded with. @type {Device} */
  #device = { backend: "auto" };
  /** @type {AbortController | null} */
  #loading = null;
  /** @type {Generation | null} */
  #generation = null;
  /** Ends when the running generation has ended and is shown. @type {Promise<void> | null} */
  #writing = null;

  /** @param {Store} store */
  constructor(store) {
    this.#store = store;
  }

  get origin() {
    return this.#origin;
  }

  get device() {
    return this.#device;
  }

  /**
   * Loads a model in the place of the present one, which stays until the new one is there; where memory does not hold
   * both, the present one goes first.
   * @param {Origin} origin
   * @param {Device} device
   * @returns {Promise<boolean>} Whether it is there. Errors go to the store.
   */
  async load(origin, device) {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    const previous = this.#origin;
    this.#origin = origin;
    this.#store.set({ loading: { label: origin.label, backend: device.backend, stage: "", loaded: 0, total: 0 }, problem: null });
    try {
      const model = await this.#loadMakingRoom(origin, device, loading.signal);
      await this.#drop();
      this.#model = model;
      this.#device = device;
      this.#store.set({ model: model.info, result: null });
      void this.#measure();
      return true;
    } catch (error) {
      if (this.#model) this.#origin = previous;
      if (!loading.signal.aborted) this.#fail(error);
      return false;
    } finally {
      if (this.#loading === loading) {
        this.#loading = null;
        this.#store.set({ loading: null });
      }
    }
  }

  cancelLoad() {
    this.#loading?.abort();
  }

  /**
   * Writes on from a prompt. A generation that still runs is stopped first.
   * @param {string} prompt
   * @param {GenerateOptions} options
   * @param {How} how
   * @returns {Promise<void>} Resolves when it has ended; results and errors go to the store.
   */
  async generate(prompt, options, how) {
    await this.#stopAndWait();
    this.#writing = this.#write(prompt, options, how).finally(() => (this.#writing = null));
    await this.#writing;
  }

  stop() {
    this.#generation?.stop();
  }

  /** @param {string} prompt @param {GenerateOptions} options @param {How} how */
  async #write(prompt, options, { chat, onStart, onText, onEnd }) {
    const model = this.#model;
    if (!model) return;
    const store = this.#store;
    const before = store.state.result;
    /** @type {import("./store.js").Running} */
    let running = { prefill: null, tokens: 0, startedAt: performance.now(), firstTokenAt: null, speed: 0 };
    store.set({ running, result: null, problem: null });
    onStart();
    let waiting = "";
    let frame = 0;
    let measuredAt = 0;
    let isRefused = false;
    // The text and its figures appear together.
    const show = () => {
      frame = 0;
      const now = performance.now();
      if (running.firstTokenAt !== null && now - measuredAt >= MEASURE_EVERY_MS) {
        measuredAt = now;
        running = { ...running, speed: ((running.tokens - 1) / (now - running.firstTokenAt)) * 1000 };
      }
      if (waiting !== "") onText(waiting);
      waiting = "";
      store.set({ running });
    };
    try {
      const onPrefill = (/** @type {{done: number, total: number}} */ prefill) => {
        store.set({ running: (running = { ...running, prefill }) });
      };
      const generation = chat
        ? model.chat([{ role: "user", content: prompt }], { ...options, onPrefill })
        : model.generate(prompt, { ...options, onPrefill });
      this.#generation = generation;
      for await (const { id, text } of generation.tokens()) {
        const { tokens, firstTokenAt } = running;
        running = { ...running, tokens: tokens + (id === null ? 0 : 1), firstTokenAt: firstTokenAt ?? performance.now() };
        waiting += text;
        frame ||= requestAnimationFrame(show);
      }
      const result = await generation.result;
      cancelAnimationFrame(frame);
      show();
      store.set({ running: null, result });
      void this.#measure();
    } catch (error) {
      cancelAnimationFrame(frame);
      show();
      isRefused = running.tokens === 0 && isAboutInput(error);
      store.set({ running: null, result: isRefused ? before : null, problem: { error } });
      this.#fail(error);
    } finally {
      this.#generation = null;
      onEnd(isRefused);
    }
  }

  /**
   * @param {Origin} origin
   * @param {Device} device
   * @param {AbortSignal} signal
   */
  async #loadMakingRoom({ source, label }, device, signal) {
    const options = {
      ...device,
      signal,
      onProgress: (/** @type {import("../lib/intab.js").Progress} */ progress) => {
        const { loading } = this.#store.state;
        if (signal.aborted || !loading) return;
        // The two take turns; the longer one is what a person waits for.
        const isDownloading = loading.stage === "download" && loading.loaded < loading.total;
        if (isDownloading && progress.stage === "weights") return;
        this.#store.set({ loading: { label, backend: device.backend, ...progress } });
      },
    };
    try {
      return await load(source, options);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || !this.#model) throw error;
      await this.#drop();
      return load(source, options);
    }
  }

  /** Unloads the present model, after what runs on it has ended. */
  async #drop() {
    await this.#stopAndWait();
    const model = this.#model;
    this.#model = null;
    this.#store.set({ model: null, memoryBytes: null });
    await model?.unload();
  }

  async #stopAndWait() {
    // In a loop, as somebody else who waited may have started the next one.
    while (this.#writing) {
      this.stop();
      await this.#writing;
    }
  }

  async #measure() {
    const use = await this.#model?.memory().catch(() => null);
    if (use) this.#store.set({ memoryBytes: use.wasmBytes + use.gpuBytes });
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#store.state.problem?.error !== error) this.#store.set({ problem: { error } });
    const isGone = error instanceof WorkerCrashedError || error instanceof DeviceLostError;
    if (isGone) void this.#drop();
  }
}

/**
 * Whether the engine works and only this prompt, or an option, was not accepted.
 * @param {unknown} error
 */
function isAboutInput(error) {
  return [ContextFullError, InputError, TemplateError, TokenizerError].some((Class) => error instanceof Class);
}
