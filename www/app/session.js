// What the page does with models: load one, replace it, generate with it. Knows nothing of the page's elements.

import { DeviceLostError, OutOfMemoryError, WorkerCrashedError, load } from "../lib/intab.js";

/**
 * @typedef {import("../lib/intab.js").Model} Model
 * @typedef {import("../lib/intab.js").Generation} Generation
 * @typedef {import("../lib/intab.js").GenerateOptions} GenerateOptions
 * @typedef {import("../lib/intab.js").Source} Source
 * @typedef {import("../lib/intab.js").Backend} Backend
 * @typedef {import("./store.js").Store} Store
 * @typedef {{source: Source, label: string}} Origin
 * @typedef {{backend: Backend, contextLength?: number}} Device
 * @typedef {{chat: boolean, onStart: () => void, onText: (text: string) => void, onEnd: () => void}} How `chat`: put the
 *   model's chat template around the prompt. `onEnd` follows `onStart` whatever happens.
 */

/** The figures change no faster than a person reads. */
const SHOW_EVERY_MS = 100;

export class Session {
  #store;
  /** @type {Model | null} */
  #model = null;
  /** Where the model came from that is loaded or was asked for last. @type {Origin | null} */
  #origin = null;
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
    this.#store.set({ loading: { label: origin.label, stage: "", loaded: 0, total: 0 }, problem: null });
    try {
      const model = await this.#loadMakingRoom(origin, device, loading.signal);
      await this.#drop();
      this.#model = model;
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
    /** @type {import("./store.js").Running} */
    let running = { prefill: null, tokens: 0, startedAt: performance.now(), firstTokenAt: null };
    store.set({ running, result: null, problem: null });
    onStart();
    try {
      const onPrefill = (/** @type {{done: number, total: number}} */ prefill) => {
        store.set({ running: (running = { ...running, prefill }) });
      };
      const generation = chat
        ? model.chat([{ role: "user", content: prompt }], { ...options, onPrefill })
        : model.generate(prompt, { ...options, onPrefill });
      this.#generation = generation;
      let shownAt = 0;
      for await (const { id, text } of generation.tokens()) {
        const now = performance.now();
        running = {
          ...running,
          tokens: running.tokens + (id === null ? 0 : 1),
          firstTokenAt: running.firstTokenAt ?? now,
        };
        onText(text);
        if (now - shownAt < SHOW_EVERY_MS) continue;
        shownAt = now;
        store.set({ running });
      }
      store.set({ running: null, result: await generation.result });
      void this.#measure();
    } catch (error) {
      store.set({ running: null });
      this.#fail(error);
    } finally {
      this.#generation = null;
      onEnd();
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
        this.#store.set({ loading: { label, ...progress } });
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
    this.#store.set({ problem: { error } });
    const isGone = error instanceof WorkerCrashedError || error instanceof DeviceLostError;
    if (isGone) void this.#drop();
  }
}
